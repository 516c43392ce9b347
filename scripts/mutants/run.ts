/**
 * Breaks the lines that privacy rests on, one at a time, and runs the tests that have to notice: first the file that
 * noticed the last time. Prints a table and exits with 1 when a break goes unnoticed without an argument why, when one
 * with an argument is noticed, or when a line is no longer there.
 *
 *   npm run test:mutants                  all of them
 *   npm run test:mutants -- ledger 12     those whose file has "ledger" in its name, or whose number is 12
 *   npm run test:mutants -- --write       ... and writes docs/reference/mutants.md
 *   npm run test:mutants -- --jobs 1      one at a time instead of two
 *   npm run test:mutants -- --list        none: only whether every line is still there (with --write: the page alone)
 */
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { type Row, readPage, writePage } from './page.ts'
import { MUTANTS, type Mutant } from './table.ts'
import { FINE, OUTCOMES, type Outcome, occurrences, tryOut } from './try-out.ts'
import { makeWorkspace } from './workspace.ts'

const { values: flags, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
  },
})

const chosen = MUTANTS.map((mutant, index) => ({ mutant, number: index + 1 })).filter(
  ({ mutant, number }) =>
    wanted.length === 0 || wanted.some((name) => mutant.file.includes(name) || String(number) === name),
)
if (chosen.length === 0) throw new RangeError(`expected names of files or numbers of breaks, got ${wanted.join(' ')}`)
const jobs = Number(flags.jobs)
if (!(Number.isInteger(jobs) && jobs >= 1 && jobs <= 64)) {
  throw new RangeError(`expected --jobs with a whole number from 1 to 64, got ${flags.jobs}`)
}
const outcomes: Outcome[] = []

function show(number: number, { file, find, replace }: Mutant, outcome: Outcome, seconds = 0): void {
  outcomes.push(outcome)
  const line = (text: string): string => text.trim().replace(/\s+/g, ' ').slice(0, 70)
  const by = outcome.noticedBy === undefined ? '' : `\n       ${outcome.noticedBy}: ${outcome.test ?? ''}`
  const words = `${file}: ${line(find)} -> ${line(replace) || '(nothing)'}${by}`
  console.log(`${String(number).padStart(3)}  ${outcome.kind.padEnd(16)} ${seconds.toFixed(0).padStart(3)} s  ${words}`)
}

async function tryAll(): Promise<void> {
  const known = readPage()
  const tried = new Map<Mutant, Row>()
  const queue = [...chosen]
  const folders = Array.from({ length: Math.min(jobs, queue.length) }, makeWorkspace)
  await Promise.all(
    folders.map(async (folder) => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const started = performance.now()
        const outcome = await tryOut(next.mutant, folder, known(next.mutant)?.noticedBy)
        tried.set(next.mutant, outcome.kind === 'killed' ? outcome : {})
        show(next.number, next.mutant, outcome, (performance.now() - started) / 1_000)
        if (flags.write) writePage(MUTANTS, (mutant) => tried.get(mutant) ?? known(mutant))
      }
    }),
  )
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
if (flags.list) {
  for (const { mutant, number } of chosen)
    if (occurrences(mutant) !== 1) show(number, mutant, { kind: 'no longer there' })
  if (flags.write) writePage(MUTANTS, readPage())
} else {
  await tryAll()
}
const words = OUTCOMES.map((kind) => `${outcomes.filter((one) => one.kind === kind).length} ${kind}`)
console.log(`${chosen.length} breaks: ${words.join(', ')}`)
process.exitCode = outcomes.every(({ kind }) => FINE.includes(kind)) ? 0 : 1
