import type { PrivacyCurve } from './privacy-curve.ts'

/** Factors of the noise among which the answer is looked for. */
const LARGEST_FACTOR = 64

/** To how much the factor is found, relatively. */
const PRECISION = 5e-3

/**
 * The most noise, as a factor of the claimed one, that a test is compatible with if the mechanism is the claimed one
 * with another amount of noise: for every larger factor the test rejects the whole privacy curve.
 *
 * This is how one-run audits are usually reported (Mahloujifar, Melis and Chaudhuri 2025: the family of the mechanism,
 * one free parameter). It assumes the family, so it is tighter than `epsilonLowerBound`, which assumes nothing.
 *
 * @param rejects whether a claim is rejected, at the level that the caller allows
 * @param curveAt what an accountant claims of the mechanism with that many times its noise
 * @returns a factor from 1/64 to 64; Infinity where even 64 times the noise is not rejected
 */
export function mostNoiseFactor(
  rejects: (curve: PrivacyCurve) => boolean,
  curveAt: (factor: number) => PrivacyCurve,
): number {
  const rejected = (factor: number): boolean => rejects(curveAt(factor))
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
