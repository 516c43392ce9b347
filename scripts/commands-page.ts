import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command, Option } from 'commander'
import { EXIT, EXIT_MEANINGS, type ExitKind, exitKindOf } from '../apps/cli/src/exit-codes.ts'
import { program } from '../apps/cli/src/main.ts'
import { ERROR_CATALOGUE, type ErrorCode } from '../packages/core/src/errors.ts'
import { markdownTable } from './markdown-table.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const PAGE = path.join(ROOT, 'docs/reference/commands.md')

const INTRODUCTION = `# Commands

Written by \`npx tsx scripts/commands-page.ts\` from the commands themselves; a test holds the page against them.

An option counts before its variable of the environment. Every command has \`--help\`; \`--quiet\` (\`-q\`) prints errors alone, and \`--verbose\`
(\`-v\`) what is behind an error. Under \`--json\` a command prints JSON, an object or one on each line, and an error is
\`{ "error": { "code", "expected", "got", "remedy" } }\` on standard error. There it stands in lines of its own where standard error is a
terminal, in colour unless \`NO_COLOR\` is set, and on one line anywhere else. \`fedsvd completion bash\` (or \`zsh\`, \`fish\`) prints what a shell needs to complete
all of this.
`

const AFTER_EXIT_CODES = `
Codes of errors are those of messages and of \`--json\`. Scripts may rely on the numbers: some may be added, none is changed.
`

/** All commands with their options, and the exit codes. */
export async function commandsPage(): Promise<string> {
  const leaves = leavesOf(await program())
  const contents = leaves.map(({ words }) => `[\`${words}\`](#fedsvd-${words.replaceAll(' ', '-')})`)
  return [
    INTRODUCTION,
    `${contents.join(' · ')}\n`,
    '## Exit codes\n',
    exitCodes(),
    AFTER_EXIT_CODES,
    ...leaves.map(({ words, command }) => sectionOf(words, command)),
  ].join('\n')
}

interface Leaf {
  readonly words: string
  readonly command: Command
}

function leavesOf(command: Command, above: readonly string[] = []): readonly Leaf[] {
  return command.commands.flatMap((one) => {
    const words = [...above, one.name()]
    return one.commands.length === 0 ? [{ words: words.join(' '), command: one }] : leavesOf(one, words)
  })
}

function exitCodes(): string {
  const kinds = Object.entries(EXIT) as [ExitKind, number][]
  const codes = Object.keys(ERROR_CATALOGUE) as ErrorCode[]
  const rows = kinds.map(([kind, number]) => {
    const ofKind = codes.filter((code) => exitKindOf(code) === kind).map((code) => `\`${code}\``)
    return [String(number), EXIT_MEANINGS[kind], ofKind.join(', ')]
  })
  return markdownTable(['exit code', 'meaning', 'codes of errors'], rows)
}

const OF_EVERY_COMMAND: readonly string[] = ['--json', '--quiet', '--verbose']

function sectionOf(words: string, command: Command): string {
  const shown = command.options.filter(({ hidden, long }) => !hidden && !OF_EVERY_COMMAND.includes(long!))
  const json = command.options.find(({ long }) => long === '--json')
  const values = command.registeredArguments.map((argument) => {
    const choices = argument.argChoices === undefined ? '' : argument.argChoices.map((one) => `\`${one}\``).join(', ')
    return [
      `\`<${argument.name()}>\``,
      choices,
      '',
      argument.required ? 'needed' : code(argument.defaultValue),
      argument.description,
    ]
  })
  const options = shown.map((option) => [
    `\`${option.flags}\``,
    option.argChoices?.map((one) => `\`${one}\``).join(', ') ?? '',
    option.envVar === undefined ? '' : `\`${option.envVar}\``,
    defaultOf(option),
    option.description,
  ])
  const rows = [...values, ...options]
  return [
    `## fedsvd ${words}\n`,
    `${command.description()}${json === undefined ? '' : ` \`--json\`: ${json.description}.`}\n`,
    ...(rows.length === 0 ? [] : [`${markdownTable(['', 'values', 'variable', 'default', 'meaning'], rows)}\n`]),
    `\`\`\`\n${examplesOf(command).join('\n')}\n\`\`\`\n`,
  ].join('\n')
}

function defaultOf(option: Option): string {
  const { defaultValue, mandatory } = option
  if (mandatory) return 'needed'
  if (option.isBoolean() || option.negate) return ''
  return typeof defaultValue === 'string' && path.isAbsolute(defaultValue) ? 'see `FEDSVD_HOME`' : code(defaultValue)
}

function code(value: unknown): string {
  if (value === undefined) return ''
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

/** The commands that the help shows, each behind a prompt. */
function examplesOf(command: Command): readonly string[] {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
  return [...help.matchAll(/^ {2}(\$ .*)$/gm)].map(([, line]) => line!)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, await commandsPage())
