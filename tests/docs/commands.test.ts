import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Command, CommanderError } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { program } from '../../apps/cli/src/main.ts'
import { blocksOf, fedsvdCommands } from '../../packages/testing/src/docs/index.ts'

/*
 * Every `fedsvd` command of every page, in code blocks and within sentences, is given to the real command line, which
 * parses it and does nothing. `…` or `...` as the last word stands for what is left out; RUN and the like for an
 * identifier.
 */
const ROOT = path.resolve(import.meta.dirname, '../..')
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: ROOT })
  .toString()
  .trim()
  .split('\n')
  .filter((page) => !/^docs\/(decisions|log)|^CHANGELOG|^changes\//.test(page)) // these tell of what was

const NOT_SHELL = new Set(['js', 'ts', 'json', 'yaml', 'nginx', 'csv'])
const IDENTIFIER = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'

/** What stands for a value in a sentence. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  RUN: IDENTIFIER,
  OPERATOR: IDENTIFIER,
  CLIENT: IDENTIFIER,
  k: '2',
}

interface Shown {
  readonly place: string
  readonly words: readonly string[]
  /** Within a sentence a command may be shown without what it requires. */
  readonly partly: boolean
}

/** The lines of a block that are typed: of a transcript those behind a prompt. */
function commandLines(text: string): string[] {
  const lines = text.replaceAll('\\\n', ' ').split('\n')
  const typed = lines.filter((line) => line.startsWith('$ '))
  return typed.length > 0 ? typed : lines
}

function shownOn(page: string): Shown[] {
  const markdown = readFileSync(path.join(ROOT, page), 'utf8')
  const blocks = blocksOf(markdown).filter(({ language }) => !NOT_SHELL.has(language))
  const inBlocks = blocks.flatMap(({ text, line }) =>
    commandLines(text)
      .flatMap(fedsvdCommands)
      .map((words) => ({ place: `${page}:${line}`, words, partly: false })),
  )
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, '')
  const inSentences = Array.from(prose.matchAll(/`((?:npx )?fedsvd [^`]+)`/g), ([, text]) => text!)
    .flatMap(fedsvdCommands)
    .map((words) => ({ place: page, words, partly: true }))
  return [...inBlocks, ...inSentences]
}

const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)]

/** `…` stands for what a page leaves out, but for behind an option, whose value it is. */
const isLeftOut = (word: string, before = ''): boolean => /^(…|\.\.\.)$/.test(word) && !before.startsWith('--')

/** What the command line says against these words; undefined where it takes them. */
function faultOf(root: Command, { words, partly }: Shown): string | undefined {
  const given = words
    .filter((word, index) => !isLeftOut(word, words[index - 1]))
    .map((word) => PLACEHOLDERS[word] ?? word)
  const leftOut = given.length < words.length
  // Commander looks for what is missing first: where that may be left out, the rest is to be looked at all the same.
  const required = all(root).flatMap(({ options }) => options.filter(({ mandatory }) => mandatory))
  for (const option of required) option.mandatory = !(partly || leftOut)
  try {
    root.parse(given, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const isOfWhatIsLeftOut = /^commander\.(missingArgument|optionMissingArgument|help)$/.test(error.code)
    if (error.exitCode !== 0 && !((partly || leftOut) && isOfWhatIsLeftOut)) return error.message
  } finally {
    for (const option of required) option.mandatory = true
  }
}

describe('the commands that pages show', () => {
  let root: Command
  beforeAll(async () => {
    root = await program()
    for (const command of all(root)) {
      command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} })
      if (command.commands.length === 0) command.action(() => {})
    }
  })

  it('are taken by the command line as they stand', () => {
    const shown = PAGES.flatMap(shownOn)
    expect(shown.length).toBeGreaterThan(100)
    const faults = shown.flatMap((one) => {
      const fault = faultOf(root, one)
      return fault === undefined ? [] : [`${one.place}: fedsvd ${one.words.join(' ')}: ${fault}`]
    })
    expect(faults).toEqual([])
  })

  it('would be refused with an option, a value or a command that there is not', () => {
    const fault = (...words: string[]) => faultOf(root, { place: '', words, partly: false })
    expect(fault('plan', '--records', '5', '--lots', '5')).toMatch('unknown option')
    expect(fault('plan', '--records', 'five', '--lot', '5')).toMatch('Expected a positive integer')
    expect(fault('plans')).toMatch('unknown command')
    expect(fault('owner', 'sign-disjoint', '--data', 'trial.jsonl')).toMatch('required option')
  })
})
