import { Argument, Command } from 'commander'
import { completionScript, SHELLS, type Shell, wordsOf } from '../completion/index.ts'
import { example } from '../options.ts'
import { outputFor } from '../output.ts'

/** `fedsvd completion`: what a shell needs to complete commands, options and their values. */
export function completionCommand(): Command {
  return new Command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .option('--json', 'print { "script" }')
    .addHelpText(
      'after',
      example(
        'source <(fedsvd completion bash)',
        'fedsvd completion zsh > ~/.zfunc/_fedsvd',
        'fedsvd completion fish > ~/.config/fish/completions/fedsvd.fish',
      ),
    )
    .action((shell: Shell, options: { readonly json?: boolean }, command: Command) => {
      const script = completionScript(shell, wordsOf(command.parent ?? command))
      const output = outputFor(options)
      output.record({ script })
      output.line(script.trimEnd())
    })
}
