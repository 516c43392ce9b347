import { FedsvdError } from '@fedsvd/core/errors'
import { Command, CommanderError, Option } from 'commander'
import { commandsOf, type Wanted } from './commands.ts'
import { EXIT } from './exit-codes.ts'
import { fail } from './output.ts'
import { handleOutputErrors } from './output-errors.ts'
import { handleUncaught } from './uncaught.ts'
import { VERSION } from './version.ts'

/** The `fedsvd` command with every subcommand loaded, or with those that are named. */
export async function program(
  isNamed: (name: string) => boolean = () => true,
  { mayLackPackages = false }: Omit<Wanted, 'isNamed'> = {},
): Promise<Command> {
  const command = new Command('fedsvd')
    .description('Federated fine-tuning of language models under differential privacy.')
    .version(VERSION)
    .showHelpAfterError('(add --help for the options and an example)')
  for (const one of await commandsOf({ isNamed, mayLackPackages })) command.addCommand(one)
  for (const one of withAllBelow(command)) {
    one.exitOverride() // every ending has the exit code of its kind, which `main` decides
    if (one.commands.length === 0) one.addOption(QUIET).addOption(VERBOSE)
  }
  return command
}

const QUIET = new Option('-q, --quiet', 'print errors alone')
const VERBOSE = new Option('-v, --verbose', 'with an error, print what is behind it')

/** A command and all that are below it. */
export function withAllBelow(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withAllBelow)]
}

/** Runs the command line; every failure is one line on stderr and the exit code of its kind. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = process
  const json = argv.includes('--json')
  const exit = (code: number) => process.exit(code)
  handleOutputErrors({ stdout, stderr, json, exit })
  handleUncaught({ process, json, exit })
  try {
    const words = argv.slice(2).filter((word) => !word.startsWith('-'))
    const named = words[0] === 'help' ? words[1] : words[0]
    const command = isAboutAll(argv)
      ? await program(undefined, { mayLackPackages: true })
      : await program((name) => name === named)
    if (json) for (const one of withAllBelow(command)) one.configureOutput({ writeErr: () => {} })
    await command.parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) endOfUsage(error, json)
    else fail(error, json, isVerbose(argv))
  }
}

/** A completion script names the options of every command. */
function isAboutAll(argv: readonly string[]): boolean {
  return argv[2] === 'completion' && !argv.includes('--help')
}

function isVerbose(argv: readonly string[]): boolean {
  return argv.includes('-v') || argv.includes('--verbose') || process.env.FEDSVD_DEBUG !== undefined
}

/** Help and the release are no failure; for anything else commander has said why, unless JSON is wanted. */
function endOfUsage({ exitCode, code, message }: CommanderError, json: boolean): void {
  if (exitCode === 0) return
  if (json) {
    const isHelp = code === 'commander.help'
    const got = isHelp ? 'no subcommand' : message.replace(/^error: /, '')
    fail(new FedsvdError('CONFIG_INVALID', { expected: 'a command line', got, remedy: 'Add --help.' }), json)
  }
  process.exitCode = EXIT.usage
}
