import { LEAST_DELTA } from '../accounting/index.ts'
import { FedsvdError } from '../errors.ts'

/**
 * When a round may be released, as a function of public constants.
 *
 * How long a round trains depends on the lots that were drawn and on the lengths of their records, so the moment of its
 * release would be an output that nothing noises. Released at the end of a slot instead, which covers the largest lots
 * that the declared count makes likely, each record at its greatest length, the moment is the same for neighbouring
 * data sets, except with the probability {@link MISS_PROBABILITY} that the lots are larger. That event is charged to
 * delta: a mechanism that is (epsilon, delta)-DP outside an event of probability p is (epsilon, delta + p)-DP.
 */

/** The probability, for each round, that its lots have more members than its slot was made for. */
export const MISS_PROBABILITY = 1e-12

/** What decides the sizes of a round's lots. */
export interface LotTerms {
  /** Records, or persons where they are the units. */
  readonly declaredRecords: number
  readonly sampleRate: number
  /** Lots of a round. */
  readonly steps: number
}

/**
 * The number of members that all lots of a round together exceed with a probability of at most
 * {@link MISS_PROBABILITY}.
 *
 * They are n = declaredRecords * steps coins of probability q, and P[Binomial(n, q) >= a n] <= exp(-n KL(a || q)) for a
 * > q (Hoeffding 1963, theorem 1): a bound, not an approximation. At sampleRate 1 it is n itself.
 *
 * @throws FedsvdError CONFIG_INVALID for terms out of range
 * @example mostMembers({ declaredRecords: 1500, sampleRate: 0.0853, steps: 5 }) // 826
 */
export function mostMembers({ declaredRecords, sampleRate, steps }: LotTerms): number {
  const coins = declaredRecords * steps
  if (!(Number.isSafeInteger(coins) && coins > 0 && sampleRate > 0 && sampleRate <= 1)) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'whole numbers of records and steps, and 0 < sampleRate <= 1',
      got: JSON.stringify({ declaredRecords, sampleRate, steps }),
      remedy: 'Correct the terms of the run.',
    })
  }
  const isUnlikely = (members: number) => coins * divergence(members / coins, sampleRate) >= -Math.log(MISS_PROBABILITY)
  let [low, high] = [Math.ceil(coins * sampleRate), coins]
  // the least number that is exceeded unlikely enough; all of the coins are never exceeded
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (isUnlikely(middle + 1)) high = middle
    else low = middle + 1
  }
  return low
}

/** Kullback-Leibler divergence of two coins, in nats, for a >= q. */
function divergence(a: number, q: number): number {
  if (a >= 1) return -Math.log(q)
  return a * Math.log(a / q) + (1 - a) * Math.log((1 - a) / (1 - q))
}

/**
 * The delta that is left for the events of a ledger when `rounds` releases may each miss their slot.
 *
 * @example deltaWithoutMisses(1e-5, 30) // 0.00000999997
 */
export function deltaWithoutMisses(delta: number, rounds: number): number {
  return delta - rounds * MISS_PROBABILITY
}

/**
 * The delta of a figure that is shown: {@link deltaWithoutMisses}, and no less than the accountants take.
 *
 * @example deltaOfFigures(1e-5, 30) // 0.00000999997
 */
export function deltaOfFigures(delta: number, rounds: number): number {
  return Math.max(LEAST_DELTA, deltaWithoutMisses(delta, rounds))
}
