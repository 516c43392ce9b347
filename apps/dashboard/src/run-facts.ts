import { isRunOver, type RunSnapshot } from '@fedsvd/core/protocol'

/** What is to be read off a snapshot, in one place. */

export type Client = RunSnapshot['clients'][number]

/** True as long as it can go on. */
export function isOpen({ state }: RunSnapshot): boolean {
  return !isRunOver(state)
}

/** Of each published round, how many states old the updates of earlier ones were that it counted. */
export function stalenessOf({ rounds }: RunSnapshot): ReadonlyMap<number, readonly number[]> {
  return new Map(rounds.map(({ round, late = [] }) => [round, late.map(([, madeIn]) => round - madeIn)]))
}

/** The client with the largest epsilon. */
export function worst({ clients }: RunSnapshot): Client | undefined {
  return clients.toSorted((left, right) => right.epsilonUpperBound - left.epsilonUpperBound)[0]
}

/**
 * The largest epsilon of a client as a whole, against everyone but the coordinator; undefined where no run noises for
 * it.
 */
export function worstOfClients({ clients }: RunSnapshot): Client['clientLevel'] {
  return clients
    .flatMap(({ clientLevel }) => clientLevel ?? [])
    .toSorted((left, right) => right.epsilonUpperBound - left.epsilonUpperBound)[0]
}

export function isUsedUp({ exhausted, cap }: Client): boolean {
  return exhausted || cap?.exhausted === true
}

export function newestEvaluation({ rounds }: RunSnapshot) {
  return rounds.findLast(({ evaluation }) => evaluation !== undefined)?.evaluation
}
