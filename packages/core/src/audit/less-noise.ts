import { checkLevel } from './check.ts'
import { curveRejected } from './curve-test.ts'
import type { GuessOutcome } from './guesses.ts'
import type { PrivacyCurve } from './privacy-curve.ts'

/** Factors of the noise among which the answer is looked for. */
const LARGEST_FACTOR = 64

/** To how much the factor is found, relatively. */
const PRECISION = 5e-3

/**
 * The most noise, as a factor of the claimed one, that the guesses are compatible with if the mechanism is the claimed one
 * with another amount of noise: for every larger factor the whole privacy curve is rejected at `level`.
 *
 * This is how one-run audits are usually reported (Mahloujifar, Melis and Chaudhuri 2025: the family of the mechanism, one
 * free parameter). It assumes the family, so it is tighter than `epsilonLowerBound`, which assumes nothing.
 *
 * @param curveAt what an accountant claims of the mechanism with that many times its noise
 * @returns a factor from 1/64 to 64; Infinity where even 64 times the noise is not rejected
 * @throws FedsvdError CONFIG_INVALID for counts, points or a level out of range
 */
export function mostNoiseFactor(
  outcomes: readonly GuessOutcome[],
  curveAt: (factor: number) => PrivacyCurve,
  level: number,
): number {
  checkLevel(level)
  const rejected = (factor: number): boolean => {
    const curve = curveAt(factor)
    return outcomes.some((outcome) => curveRejected(outcome, curve, level))
  }
  let [low, high] = [1 / LARGEST_FACTOR, LARGEST_FACTOR]
  if (!rejected(high)) return Number.POSITIVE_INFINITY
  if (rejected(low)) return low
  while (high / low > 1 + PRECISION) {
    const middle = Math.sqrt(low * high)
    if (rejected(middle)) high = middle
    else low = middle
  }
  return high
}
