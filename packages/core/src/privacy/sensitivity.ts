/**
 * How much one record can move the integer sum that the noise is added to, and how much noise that takes.
 *
 * The argument, from the gradient of one record to epsilon. A unit of privacy is called a record here; it may be a
 * person or a client.
 *
 * 1. Grid. Gaussian noise on doubles leaks through the low bits (Mironov 2012, "On significance of the least
 *    significant bits for differential privacy"), so nothing real-valued is ever noised. A record contributes a vector
 *    of integers q, in units of clipNorm * 2^-GRID_BITS.
 * 2. The bound is enforced, not derived. Before q is added, the sum of its squares is compared with
 *    {@link squaredBound}, and a q that is above it, or holds NaN, is left out: it contributes zeros. The comparison is
 *    exact although it is made in float64. Squares are not negative; as long as a partial sum is at most 2^53 it is an
 *    integer that float64 holds, and once it is above 2^53 rounding can bring it back to 2^53 but not below, and later
 *    terms do not lower it. The bound is below 2^53, so the computed sum is at most the bound exactly when the true one
 *    is. NaN compares as false, which leaves the record out. No property of clip, norm, runtime or device enters this.
 * 3. The lot. Integers are added in float64, which is exact up to 2^53: a coordinate of one record is below 2^20 and a
 *    lot has at most 2^32 records. So adding or removing a record changes the lot's sum by its own q and by nothing
 *    else: {@link gridSensitivity} is the L2 sensitivity, with no floating-point remainder. What is left to assume is
 *    that q is a function of the record alone, and of nothing beside it in its micro-batch.
 * 4. The noise is discrete Gaussian on the integers (Canonne, Kamath and Steinke 2020). {@link gridSigma} makes it
 *    provably as good as continuous Gaussian noise of noiseMultiplier * sensitivity, for every accountant.
 * 5. Scaling by grid, the learning rate and the expected lot size happens after the noise: post-processing.
 *
 * That no honest record is left out is a matter of utility, and is proved as well: see {@link CLIP_TARGET}.
 */

import { SIGMA_RANGE } from '../random/index.ts'
/** Resolution of the grid: a record of norm clipNorm has 2^18 grid units. */
export const GRID_BITS = 18

/**
 * Records are clipped to this many grid units, 2^18 less one part in 2^20, so that float64 rounding never carries an
 * honest record over the bound. With d scalars and u = 2^-53, the computed sum of squares is within (d + 1) u of the
 * true one, in any order of addition (Higham 2002, section 4.2), so the norm, the quotient and the product are within
 * (d / 2 + 4) u, which is at most 2^-21 for d up to 2^33. So |c g / grid| <= 2^18 before rounding, and rounding each
 * coordinate to an integer moves the vector by at most sqrt(d) / 2.
 */
export const CLIP_TARGET = 2 ** GRID_BITS * (1 - 2 ** -20)

/**
 * Width of one grid unit, in units of the gradient.
 *
 * @example gridOf(1) // 2 ** -18
 */
export function gridOf(clipNorm: number): number {
  return clipNorm * 2 ** -GRID_BITS
}

/**
 * The largest sum of squares that a record's integers may have: (2^gridBits + sqrt(d) / 2)^2, rounded up to an integer.
 * `dimension` is the number of trained scalars, all of them.
 */
export function squaredBound({ dimension, gridBits }: { dimension: number; gridBits: number }): number {
  return Math.ceil((2 ** gridBits + Math.sqrt(dimension) / 2) ** 2)
}

/**
 * L2 sensitivity of the lot's integer sum under adding or removing one record, in grid units: the root of
 * {@link squaredBound}. At d = 100,000 the rounding costs 0.06 %, at 10 million 0.6 %.
 *
 * @example gridSensitivity({ dimension: 100_000, gridBits: 18 }) // 262302.1
 */
export function gridSensitivity(size: { dimension: number; gridBits: number }): number {
  return Math.sqrt(squaredBound(size))
}

export const SMOOTHING = 3

/**
 * Parameter of the discrete Gaussian, in grid units, for a given noise multiplier:
 * sqrt((noiseMultiplier * sensitivity)^2 + 3^2).
 *
 * Why the 3, which adds less than one part in 10^9: let Y be the sum plus *continuous* Gaussian noise of standard
 * deviation s1 = noiseMultiplier * sensitivity, and round each coordinate at random to the integer x with probability
 * proportional to exp(-(x - Y)^2 / (2 * 3^2)). That is post-processing of the mechanism the accountants describe. By
 * Poisson summation the normaliser of the rounding is constant up to a factor 1 +- e, e = 2.1 exp(-2 pi^2 3^2) < 2e-77,
 * so the outcome has the discrete Gaussian distribution of variance s1^2 + 3^2, up to a factor of at most exp(+-3e) a
 * coordinate (the convolution argument of Peikert 2010, "An efficient and parallel Gaussian sampler for lattices",
 * theorem 3.1). So the discrete mechanism inherits every guarantee of the continuous one (RDP, PLD, any number of
 * dimensions, Poisson sampling, adaptive composition) up to {@link discretisationSlack}, which is far below the last
 * bit of any double it could be added to.
 */
export function gridSigma({ noiseMultiplier, dimension }: { noiseMultiplier: number; dimension: number }): number {
  return Math.hypot(noiseMultiplier * gridSensitivity({ dimension, gridBits: GRID_BITS }), SMOOTHING)
}

/**
 * The greatest noise multiplier that can be drawn for so many scalars, some 1.3e5: half of what the sampler takes,
 * since a run that adapts its clip norm shares its noise between the sum and a count.
 */
export function mostNoiseMultiplier(dimension: number): number {
  return SIGMA_RANGE.most / gridSensitivity({ dimension, gridBits: GRID_BITS }) / 2
}

/**
 * What the discrete noise costs over the continuous noise that is accounted: if the continuous mechanism is
 * (epsilon, delta)-DP, the discrete one is (epsilon + 2k, delta * exp(k))-DP with the returned
 * k = 3 * 2.1 exp(-18 pi^2) * dimension * steps. The sampler is exact and adds nothing of its own.
 *
 * For a billion scalars and a billion steps k is below 1e-58.
 */
export function discretisationSlack({ dimension, steps }: { dimension: number; steps: number }): number {
  return 3 * 2.1 * Math.exp(-2 * (Math.PI * SMOOTHING) ** 2) * dimension * steps
}
