import { Command, CommanderError } from 'commander'
import { commandsOf } from './commands.ts'
import { fail } from './output.ts'
import { handleOutputErrors } from './output-errors.ts'
import { handleUncaught } from './uncaught.ts'
import { VERSION } from './version.ts'

/** The `fedsvd` command with every subcommand loaded, or with those that are named. */
export async function program(isNamed: (name: string) => boolean = () => true): Promise<Command> {
  const command = new Command('fedsvd')
    .description('Federated fine-tuning of language models under differential privacy.')
    .version(VERSION)
    .showHelpAfterError('(add --help for the options and an example)')
  for (const one of await commandsOf(isNamed)) command.addCommand(one)
  return command
}

/** Runs the command line; every failure is one line on stderr and a non-zero exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = process
  const json = argv.includes('--json')
  const exit = (code: number) => process.exit(code)
  handleOutputErrors({ stdout, stderr, json, exit })
  handleUncaught({ process, json, exit })
  try {
    const words = argv.slice(2).filter((word) => !word.startsWith('-'))
    const named = words[0] === 'help' ? words[1] : words[0]
    await (await program((name) => name === named)).parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode
    else fail(error, json)
  }
}
