import { roundNumber } from '@fedsvd/core/errors'
import type { PublishedRound } from '../storage/records/index.ts'
import type { RunFacts, SiteEpsilon } from './run-facts.ts'

/** One figure of one round. */
export interface Point {
  readonly key: string
  /** The number of the round, from 1 on. */
  readonly step: number
  readonly value: number
  /** Milliseconds since 1970: when the round was published. */
  readonly at: number
}

/** For each key the last step that a tracker has. */
export type LastSteps = Map<string, number>

const EPSILON_HIGHEST = 'epsilon_highest'
/** Rounds whose figures are sent together. */
const ROUNDS_AT_A_TIME = 25

/**
 * The figures of a run that a tracker does not have yet, a few rounds at a time and in their order; `last` is moved on
 * when the next part is asked for, which is when this one has been stored. A figure that is no number is left out.
 */
export async function* pointsBehind(
  facts: RunFacts,
  last: LastSteps,
  { namesSites }: { readonly namesSites: boolean },
): AsyncGenerator<readonly Point[]> {
  const { rounds } = facts
  for (let from = 0; from < rounds.length; from += ROUNDS_AT_A_TIME) {
    const points: Point[] = []
    for (const round of rounds.slice(from, from + ROUNDS_AT_A_TIME)) {
      const isNew = ({ key, step }: Pick<Point, 'key' | 'step'>): boolean => step > (last.get(key) ?? 0)
      points.push(...figuresOf(round).filter(isNew))
      // Epsilon is computed where it is needed alone: it takes time.
      if (isNew({ key: EPSILON_HIGHEST, step: roundNumber(round.round) }))
        points.push(...epsilonsOf(round, await facts.epsilonAfter(round.round), namesSites).filter(isNew))
    }
    const finite = points.filter(({ value }) => Number.isFinite(value))
    if (finite.length > 0) yield finite
    for (const { key, step } of points) last.set(key, Math.max(step, last.get(key) ?? 0))
  }
}

function figuresOf({ round, clients, openedAt, publishedAt: at, evaluation }: PublishedRound): Point[] {
  const step = roundNumber(round)
  const figures: Readonly<Record<string, number | undefined>> = {
    accuracy: evaluation?.accuracy,
    loss: evaluation?.loss,
    micro_f1: evaluation?.microF1,
    sites_counted: clients.length,
    round_seconds: (at - openedAt) / 1000,
  }
  return Object.entries(figures).flatMap(([key, value]) => (value === undefined ? [] : [{ key, step, value, at }]))
}

function epsilonsOf(
  { round, publishedAt: at }: PublishedRound,
  spent: readonly SiteEpsilon[],
  namesSites: boolean,
): Point[] {
  if (spent.length === 0) return []
  const step = roundNumber(round)
  const highest = { key: EPSILON_HIGHEST, step, value: Math.max(...spent.map(({ epsilon }) => epsilon)), at }
  const bySite = spent.map((site) => ({ key: `epsilon/${keyOf(site)}`, step, value: site.epsilon, at }))
  return namesSites ? [highest, ...bySite] : [highest]
}

/**
 * The name of a site in the letters that every tracker takes; with the beginning of its identifier where it had others.
 */
function keyOf({ name, clientId }: SiteEpsilon): string {
  const plain = name.replace(/[^A-Za-z0-9_\- ]/g, '_').slice(0, 100)
  return plain === name ? name : `${plain}-${clientId.slice(0, 8)}`
}
