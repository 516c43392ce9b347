import { FedsvdError } from '../errors.ts'
import type { AccountedEvent } from './event.ts'
import { checkDelta, mergeEvents } from './events.ts'
import { groupEpsilon, pld } from './pld.ts'

/** More records of one person than this are not computed: the answer is far beyond any use. */
export const LARGEST_GROUP = 1000

/**
 * What events whose unit is the *record* promise to a person with several records: the smallest epsilon that can be
 * proved at `delta` when `groupSize` records are added or removed together. Exact up to the accountant's
 * discretisation, and never below: see `group-of-records.ts` for the pair that is composed. It is no multiple of the
 * epsilon of a record.
 *
 * @param groupSize records of one person, from 1 (which is {@link pld}) to 1000
 * @throws FedsvdError CONFIG_INVALID, NOISE_INVALID as the accountants; CONFIG_INVALID for another groupSize
 * @example groupEpsilonUpperBound([{ sampleRate: 0.16, noiseMultiplier: 1, steps: 30 }], 1e-5, 5) // 47.7
 */
export function groupEpsilonUpperBound(events: readonly AccountedEvent[], delta: number, groupSize: number): number {
  checkDelta(delta)
  if (!Number.isInteger(groupSize) || groupSize < 1 || groupSize > LARGEST_GROUP) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a number of records of one person from 1 to ${LARGEST_GROUP}`,
      got: String(groupSize),
      remedy: 'Give the most records that one person has in the data set.',
    })
  }
  return groupSize === 1 ? pld.epsilonUpperBound(mergeEvents(events), delta) : groupEpsilon(events, delta, groupSize)
}
