/**
 * What several runs cost by PLD, which is valid where all of them are fixed beforehand, and by the filter that is valid
 * where each is chosen after the results of the earlier ones: the tables of docs/explanation/adaptive-composition.md.
 */
import { bestOrder, calibrateNoiseMultiplier, filterOf, pld } from '../packages/core/src/accounting/index.ts'

const DELTA = 1e-5
const BUDGET = { epsilon: 6, delta: DELTA }
/** One run of the demo: 30 steps. */
const RUN = { sampleRate: 0.0853, steps: 30 }
const NUMBERS = [1, 5, 50]

export function tables(): string {
  return `${atOneNoise()}\n\n${atOneBudget()}\n`
}

/** The noise of one run alone, and what so many of them cost. */
function atOneNoise(): string {
  const noiseMultiplier = calibrateNoiseMultiplier({ ...BUDGET, ...RUN, accountant: pld })
  const rows = NUMBERS.map((runs) => {
    const all = [{ ...RUN, noiseMultiplier, steps: runs * RUN.steps }]
    const byPld = pld.epsilonUpperBound(all, DELTA)
    return [runs, byPld, filterEpsilon(all)] as const
  })
  return table(
    ['runs of 30 steps', `noise multiplier`, 'epsilon by PLD', 'epsilon by the filter', 'filter / PLD'],
    rows.map(([runs, byPld, byFilter]) => [
      String(runs),
      noiseMultiplier.toFixed(3),
      byPld.toFixed(2),
      byFilter.toFixed(2),
      (byFilter / byPld).toFixed(2),
    ]),
  )
}

/** The least epsilon at which a filter whose order was fixed for just that budget admits the events. */
function filterEpsilon(all: readonly { sampleRate: number; noiseMultiplier: number; steps: number }[]): number {
  let epsilon = BUDGET.epsilon
  for (let round = 0; round < 20; round += 1) {
    const order = bestOrder(all, { epsilon, delta: DELTA })
    epsilon = filterOf({ kind: 'renyi', order }).epsilonUpperBound(all, DELTA)
  }
  return epsilon
}

/** The noise that so many runs take to stay within one budget. */
function atOneBudget(): string {
  const rows = NUMBERS.map((runs) => {
    const question = { ...BUDGET, ...RUN, steps: runs * RUN.steps }
    const byPld = calibrateNoiseMultiplier({ ...question, accountant: pld })
    const order = bestOrder([{ ...question, noiseMultiplier: byPld }], BUDGET)
    const filter = filterOf({ kind: 'renyi', order })
    return [runs, byPld, calibrateNoiseMultiplier({ ...question, accountant: filter }), order] as const
  })
  return table(
    ['runs within epsilon 6', 'noise by PLD', 'noise by the filter', 'filter / PLD', 'order'],
    rows.map(([runs, byPld, byFilter, order]) => [
      String(runs),
      byPld.toFixed(3),
      byFilter.toFixed(3),
      (byFilter / byPld).toFixed(2),
      order.toFixed(2),
    ]),
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

if (process.argv[1]?.endsWith('adaptive-composition.ts')) console.log(tables())
