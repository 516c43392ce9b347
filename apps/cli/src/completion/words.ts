import type { Command, Option } from 'commander'

/** What may follow the words of one command. */
export interface CommandWords {
  /** The command with those above it, such as `run create`; empty for `fedsvd` itself. */
  readonly path: string
  readonly subcommands: readonly Word[]
  readonly options: readonly OptionWords[]
}

export interface Word {
  readonly word: string
  readonly description: string
}

export interface OptionWords extends Word {
  /** Values that it takes, where these are few. */
  readonly choices: readonly string[]
  readonly takesValue: boolean
  readonly takesFile: boolean
}

const NAMES_A_FILE = /<(file|folder|files)>/

/** The words of a command and of all below it. */
export function wordsOf(command: Command, above: readonly string[] = []): readonly CommandWords[] {
  const own: CommandWords = {
    path: above.join(' '),
    subcommands: command.commands.map((one) => ({ word: one.name(), description: firstSentence(one.description()) })),
    options: [...command.options.filter(({ hidden }) => !hidden).flatMap(optionWords), HELP],
  }
  return [own, ...command.commands.flatMap((one) => wordsOf(one, [...above, one.name()]))]
}

const HELP: OptionWords = { word: '--help', description: 'show help', choices: [], takesValue: false, takesFile: false }

function optionWords({ long, short, flags, description, argChoices, required, optional }: Option): OptionWords[] {
  const shared = {
    description: firstSentence(description),
    choices: argChoices ?? [],
    takesValue: required || optional,
    takesFile: NAMES_A_FILE.test(flags),
  }
  return [long, short].flatMap((word) => (word == null ? [] : [{ word, ...shared }]))
}

/** Without what a shell would take for its own. */
function firstSentence(text: string): string {
  return (text.split(/[.;:](?:\s|$)/)[0] ?? '').replace(/[^\p{L}\p{N} ,/()<>_-]/gu, '').slice(0, 80)
}
