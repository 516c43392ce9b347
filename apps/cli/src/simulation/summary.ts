import type { Point } from './experiment-config.ts'
import type { FinishedCell } from './rows.ts'
import { settingKeys } from './rows.ts'
import { type Estimate, estimate, type PairedDifference, pairedDifference } from './statistics.ts'

/** What is compared: micro-averaged F1 where tags are predicted, else the accuracy. */
export type Measure = 'accuracy' | 'microF1'

/** A round of a setting, over its seeds. */
export interface SummaryRound {
  readonly round: number
  readonly measure: Estimate
  readonly epsilon: number
}

/** One setting over its seeds. */
export interface SettingSummary {
  /** The values that are its own, such as `ffa-lora` and `learningRate 3`. */
  readonly name: string
  readonly point: Point
  readonly seeds: readonly number[]
  /** At the last round. */
  readonly last: Estimate
  readonly loss?: Estimate
  /** The largest over the seeds. */
  readonly epsilon: number
  readonly seconds: Estimate
  readonly rounds: readonly SummaryRound[]
  /** Less the first setting, under the seeds that both have. */
  readonly difference?: PairedDifference
}

export interface Summary {
  readonly measure: Measure
  /** Accuracy of guessing the largest class; absent where nothing was measured. */
  readonly majority?: Estimate
  readonly settings: readonly SettingSummary[]
}

/** What an experiment says so far. */
export function summarise(finished: readonly FinishedCell[]): Summary {
  const measure: Measure = finished.some(({ result }) => result.rounds.at(-1)?.microF1 !== undefined)
    ? 'microF1'
    : 'accuracy'
  const keys = settingKeys(finished.map(({ cell }) => cell.point))
  const groups = new Map<string, FinishedCell[]>()
  for (const one of finished) {
    const name = nameOf(one, keys)
    groups.set(name, [...(groups.get(name) ?? []), one])
  }
  const [first] = groups.values()
  const majorities = finished.flatMap(({ result }) => result.majority ?? [])
  return {
    measure,
    ...(majorities.length > 0 && { majority: estimate(majorities) }),
    settings: Array.from(groups, ([name, cells]) => settingOf(name, cells, measure, cells === first ? [] : first!)),
  }
}

function nameOf({ cell: { point, request } }: FinishedCell, keys: readonly string[]): string {
  const own = keys.filter((key) => key !== 'method').map((key) => `${key} ${String(point[key] ?? '')}`)
  return [String(point.method ?? request.method), ...own].join(', ')
}

function settingOf(
  name: string,
  cells: readonly FinishedCell[],
  measure: Measure,
  others: readonly FinishedCell[],
): SettingSummary {
  const lastOf = ({ result }: FinishedCell): number => result.rounds.at(-1)?.[measure] ?? Number.NaN
  const pairs = cells.flatMap((one) => {
    const other = others.find(({ cell }) => cell.seed === one.cell.seed)
    return other === undefined ? [] : [[lastOf(one), lastOf(other)] as const]
  })
  const losses = cells.flatMap(({ result }) => result.rounds.at(-1)?.loss ?? [])
  const rounds = Math.max(...cells.map(({ result }) => result.rounds.length))
  return {
    name,
    point: cells[0]!.cell.point,
    seeds: cells.map(({ cell }) => cell.seed),
    last: estimate(cells.map(lastOf)),
    ...(losses.length > 0 && { loss: estimate(losses) }),
    epsilon: Math.max(...cells.map(({ result }) => result.rounds.at(-1)?.epsilon ?? 0)),
    seconds: estimate(cells.map(({ result }) => result.seconds)),
    rounds: Array.from({ length: rounds }, (_, index) => roundOf(cells, index, measure)),
    ...(pairs.length > 0 && {
      difference: pairedDifference(
        pairs.map(([own]) => own),
        pairs.map(([, other]) => other),
      ),
    }),
  }
}

function roundOf(cells: readonly FinishedCell[], index: number, measure: Measure): SummaryRound {
  const found = cells.flatMap(({ result }) => result.rounds[index] ?? [])
  return {
    round: index + 1,
    measure: estimate(found.map((round) => round[measure] ?? Number.NaN)),
    epsilon: Math.max(...found.map(({ epsilon }) => epsilon)),
  }
}
