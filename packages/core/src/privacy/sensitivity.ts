/**
 * How much one record can move the integer sum that the noise is added to, and how much noise that takes.
 *
 * The argument, from the gradient of one record to epsilon:
 *
 * 1. Grid. Gaussian noise on doubles leaks through the low bits (Mironov 2012, "On significance of the least significant
 *    bits for differential privacy"), so nothing real-valued is ever noised. With grid = clipNorm * 2^-GRID_BITS, the
 *    contribution of a record is q = Round(c * g / grid), c = min(1, clipNorm / norm): a vector of integers.
 * 2. One record. Before rounding, |c g / grid| <= (1 + NORM_SLACK) * 2^GRID_BITS: exactly 2^GRID_BITS in real arithmetic,
 *    and the slack is for a norm and a quotient taken in float32. Rounding moves each of the d coordinates by at most 1/2,
 *    hence the vector by at most sqrt(d) / 2. Their sum is {@link gridSensitivity}.
 * 3. The lot. Records are rounded one by one and only then added, and the sums are exact integers: inside a micro-batch
 *    because {@link MAX_MICRO_BATCH} keeps every partial sum within the 2^24 that float32 counts exactly, between
 *    micro-batches because float64 counts to 2^53. So adding or removing a record changes the lot's sum by its own q and
 *    by nothing else, whatever the batching: 2 is the L2 sensitivity, with no floating-point remainder.
 * 4. The noise is discrete Gaussian on the integers (Canonne, Kamath and Steinke 2020). {@link gridSigma} makes it
 *    provably as good as continuous Gaussian noise of noiseMultiplier * sensitivity, for every accountant.
 * 5. Scaling by grid, the learning rate and the expected lot size happens after the noise: post-processing.
 */

/** Resolution of the grid: a record of norm clipNorm has 2^18 grid units. */
export const GRID_BITS = 18

/** Relative room for float32 rounding in the norm and in the scaled gradient. The engine's tests show that it suffices. */
export const NORM_SLACK = 2 ** -10

/**
 * The most records whose grid contributions may be added in float32: 63. A coordinate of one record is at most
 * (1 + NORM_SLACK) * 2^18 + 1/2, so that 63 of them stay within 2^24 in any order of addition, and 64 might not.
 */
export const MAX_MICRO_BATCH = Math.floor(2 ** 24 / ((1 + NORM_SLACK) * 2 ** GRID_BITS + 0.5))

/** Width of one grid unit, in units of the gradient. */
export function gridOf(clipNorm: number): number {
  return clipNorm * 2 ** -GRID_BITS
}

/**
 * L2 sensitivity of the lot's integer sum under adding or removing one record, in grid units: an upper bound.
 *
 * `dimension` is the number of trained scalars, all of them. At d = 100,000 the rounding costs 0.06 %, at 10 million 0.6 %.
 */
export function gridSensitivity({ dimension, gridBits }: { dimension: number; gridBits: number }): number {
  return (1 + NORM_SLACK) * 2 ** gridBits + Math.sqrt(dimension) / 2
}

export const SMOOTHING = 3

/**
 * Parameter of the discrete Gaussian, in grid units, for a given noise multiplier:
 * sqrt((noiseMultiplier * sensitivity)^2 + 3^2).
 *
 * Why the 3, which adds less than one part in 10^9: let Y be the sum plus *continuous* Gaussian noise of standard deviation
 * s1 = noiseMultiplier * sensitivity, and round each coordinate at random to the integer x with probability proportional to
 * exp(-(x - Y)^2 / (2 * 3^2)). That is post-processing of the mechanism the accountants describe. By Poisson summation the
 * normaliser of the rounding is constant up to a factor 1 +- e, e = 2.1 exp(-2 pi^2 3^2) < 2e-77, so the outcome has the
 * discrete Gaussian distribution of variance s1^2 + 3^2, up to a factor of at most exp(+-3e) a coordinate (the convolution
 * argument of Peikert 2010, "An efficient and parallel Gaussian sampler for lattices", theorem 3.1). So the discrete
 * mechanism inherits every guarantee of the continuous one (RDP, PLD, any number of dimensions, Poisson sampling, adaptive
 * composition) up to {@link discretisationSlack}, which is far below the last bit of any double it could be added to.
 */
export function gridSigma({ noiseMultiplier, dimension }: { noiseMultiplier: number; dimension: number }): number {
  return Math.hypot(noiseMultiplier * gridSensitivity({ dimension, gridBits: GRID_BITS }), SMOOTHING)
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
