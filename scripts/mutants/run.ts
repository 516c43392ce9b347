/**
 * Breaks the lines that privacy rests on, one at a time, and runs the tests that have to notice. Prints a table and exits with 1 when
 * a break goes unnoticed without an argument why, when one with an argument is noticed, or when a line is no longer there.
 *
 *   npm run test:mutants                 all of them
 *   npm run test:mutants -- ledger 12    those whose file has "ledger" in its name, or whose number is 12
 *   npm run test:mutants -- --list       none: only whether every line is still there, once
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MUTANTS, type Mutant } from './table.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
const AT_A_TIME = 2
/** A break that makes a test run for ever is noticed, too. */
const LIMIT_MS = 600_000
/** What a copy of the tree does not need. */
const LEFT_OUT = new Set(['.git', '.fedsvd', '.turbo', 'node_modules', 'dist'])

const OUTCOMES = [
  'killed',
  'equivalent',
  'survived',
  'argument is wrong',
  'no longer there',
  'tests fail anyway',
] as const
type Outcome = (typeof OUTCOMES)[number]
const FINE: readonly Outcome[] = ['killed', 'equivalent']

/** How often the line of a break is in its file; a break is sound when it is there once. */
export function occurrences({ file, find }: Mutant, root = ROOT): number {
  const path = join(root, file)
  return existsSync(path) ? readFileSync(path, 'utf8').split(find).length - 1 : 0
}

/** A copy of the tree to break; what is installed is shared. */
function workspace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fedsvd-mutants-'))
  const copy = (from: string, to: string): void => {
    cpSync(from, to, { recursive: true, filter: (source) => !LEFT_OUT.has(source.split('/').at(-1)!) })
  }
  for (const name of readdirSync(ROOT)) if (!LEFT_OUT.has(name)) copy(join(ROOT, name), join(folder, name))
  for (const place of [
    '.',
    ...['packages', 'apps'].flatMap((group) => readdirSync(join(ROOT, group)).map((name) => join(group, name))),
  ]) {
    if (!existsSync(join(ROOT, place, 'node_modules'))) continue
    if (place === '.') linkModules(folder)
    else symlinkSync(join(ROOT, place, 'node_modules'), join(folder, place, 'node_modules'))
  }
  return folder
}

/** The installed packages, with those of the workspace led to the copy. */
function linkModules(folder: string): void {
  const installed = join(ROOT, 'node_modules')
  const own = join(folder, 'node_modules')
  cpSync(join(installed, '@fedsvd'), join(own, '@fedsvd'), { recursive: true, verbatimSymlinks: true })
  for (const name of readdirSync(installed)) if (name !== '@fedsvd') symlinkSync(join(installed, name), join(own, name))
}

/** Whether tests pass on the tree as it is: tests that fail anyway notice nothing. */
const soundTests = new Map<string, Promise<boolean>>()

async function tryOut(mutant: Mutant, folder: string): Promise<Outcome> {
  if (occurrences(mutant) !== 1) return 'no longer there'
  const key = mutant.tests.join(' ')
  if (!soundTests.has(key)) soundTests.set(key, testsPass(mutant.tests, folder))
  if (!(await soundTests.get(key))) return 'tests fail anyway'
  const path = join(folder, mutant.file)
  const source = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    source.replace(mutant.find, () => mutant.replace),
  )
  try {
    const passed = await testsPass(mutant.tests, folder)
    if (mutant.equivalent !== undefined) return passed ? 'equivalent' : 'argument is wrong'
    return passed ? 'survived' : 'killed'
  } finally {
    writeFileSync(path, source)
  }
}

async function testsPass(tests: readonly string[], folder: string): Promise<boolean> {
  const args = [
    'vitest',
    'run',
    '--bail',
    '1',
    '--maxWorkers',
    '1',
    ...tests.filter((test) => existsSync(join(folder, test))),
  ]
  const child = spawn('npx', args, { cwd: folder, stdio: 'ignore', detached: true })
  const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), LIMIT_MS)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return code === 0
}

async function main(args: readonly string[]): Promise<void> {
  const chosen = MUTANTS.map((mutant, index) => ({ mutant, number: index + 1 })).filter(({ mutant, number }) => {
    const wanted = args.filter((arg) => !arg.startsWith('--'))
    return wanted.length === 0 || wanted.some((arg) => mutant.file.includes(arg) || String(number) === arg)
  })
  const outcomes: Outcome[] = []
  const show = (number: number, { file, find, replace }: Mutant, outcome: Outcome): void => {
    outcomes.push(outcome)
    const line = (text: string): string => text.trim().replace(/\s+/g, ' ').slice(0, 70)
    console.log(
      `${String(number).padStart(3)}  ${outcome.padEnd(16)} ${file}: ${line(find)} -> ${line(replace) || '(nothing)'}`,
    )
  }
  if (args.includes('--list')) {
    for (const { mutant, number } of chosen) if (occurrences(mutant) !== 1) show(number, mutant, 'no longer there')
  } else {
    const queue = [...chosen]
    const folders = Array.from({ length: Math.min(AT_A_TIME, queue.length) }, workspace)
    try {
      await Promise.all(
        folders.map(async (folder) => {
          for (let next = queue.shift(); next !== undefined; next = queue.shift())
            show(next.number, next.mutant, await tryOut(next.mutant, folder))
        }),
      )
    } finally {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    }
  }
  const count = (outcome: Outcome): number => outcomes.filter((one) => one === outcome).length
  const words = OUTCOMES.map((outcome) => `${count(outcome)} ${outcome}`)
  console.log(`${chosen.length} breaks: ${words.join(', ')}`)
  process.exitCode = outcomes.every((outcome) => FINE.includes(outcome)) ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
