import { gridSigma } from '../privacy/index.ts'
import { refused } from './refusals.ts'

/** Roundings of a square root and a quotient, on the side of more noise for a share and of less for a sum. */
const ROUND_UP = 1 + 2 ** -50

/** What a run asks of every site's noise. */
export interface NoiseTarget {
  /** Noise standard deviation over sensitivity that the sum is to have against the coordinator and its colluders. */
  readonly noiseMultiplier: number
  /** Honest sites in any sum that can be opened (`Thresholds.honestInTheSum`). */
  readonly honestInTheSum: number
  /**
   * The least multiplier of a site's own noise, whatever the sum needs, so that what it has spent against everyone else
   * together stays bounded by its own choice. 0: none.
   */
  readonly ownFloor?: number
}

/**
 * The noise multiplier of one site's share: its own discrete Gaussian, over the sensitivity of one record. The shares
 * of the honest sites in a sum add up to the target at least, whoever is lost and whoever colludes within the
 * tolerance; what is lost less, and what colluders add, is noise on top, and is accepted (docs/decisions/0176).
 *
 * @throws FedsvdError SUM_REFUSED for numbers that make no noise
 * @example noiseShare({ noiseMultiplier: 1.2, honestInTheSum: 4 }) // 0.6
 */
export function noiseShare({ noiseMultiplier, honestInTheSum, ownFloor = 0 }: NoiseTarget): number {
  const share = Math.max(ownFloor, (noiseMultiplier / Math.sqrt(honestInTheSum)) * ROUND_UP)
  if (Number.isFinite(share) && share > 0 && Number.isInteger(honestInTheSum) && honestInTheSum >= 1) return share
  throw refused(
    'a noise multiplier above 0 for at least one honest site',
    `${noiseMultiplier} for ${honestInTheSum}, with a floor of ${ownFloor}`,
    'Calibrate the noise from epsilon and delta.',
  )
}

/**
 * The noise multiplier of a sum of independent shares: the root of the sum of their squares.
 *
 * @example noiseOfShares({ share: 0.6, shares: 4 }) // 1.2
 */
export function noiseOfShares({ share, shares }: { readonly share: number; readonly shares: number }): number {
  return (share * Math.sqrt(shares)) / ROUND_UP
}

/**
 * How much more noise a sum has than its target: the standard deviation of what survived over what was asked. What an
 * honest run without losses pays in accuracy for its tolerance.
 *
 * @example excessNoise({ survivors: 10, honestInTheSum: 10 }) // 1
 */
export function excessNoise(sum: { readonly survivors: number; readonly honestInTheSum: number }): number {
  return Math.sqrt(sum.survivors / sum.honestInTheSum)
}

/**
 * What it costs that a sum of discrete Gaussians is not quite a discrete Gaussian: with the returned k, a sum of shares
 * of parameters `sigmas` (in grid units), in so many dimensions and steps, is (epsilon + 2k, delta e^k)-DP where the
 * discrete Gaussian of the same sum of squares is (epsilon, delta)-DP.
 *
 * Kairouz, Liu and Steinke 2021 (arXiv 2102.06387, theorem on the convolution of two discrete Gaussians): for sigma,
 * tau >= 1/2 the two differ pointwise by a factor of at most exp(+-5 exp(-2 pi^2 / (1 / sigma^2 + 1 / tau^2))). Added
 * up share by share, that is 5 times the sum over j = 1 .. n - 1 of exp(-2 pi^2 sigma^2 j / (j + 1)) for n equal ones.
 *
 * On this project's grid a share has a sigma of thousands, and k is zero in double precision.
 *
 * @throws FedsvdError SUM_REFUSED for a sigma below 1/2
 */
export function convolutionSlack(sum: {
  readonly sigmas: readonly number[]
  readonly dimension: number
  readonly steps: number
}): number {
  const { sigmas, dimension, steps } = sum
  if (!sigmas.every((sigma) => sigma >= 0.5 && Number.isFinite(sigma))) {
    throw refused('standard deviations of at least half a grid unit', sigmas.join(', '), 'Use a finer grid.')
  }
  let [variance, slack] = [0, 0]
  for (const sigma of sigmas) {
    if (variance > 0) slack += 5 * Math.exp((-2 * Math.PI ** 2) / (1 / variance + 1 / sigma ** 2))
    variance += sigma ** 2
  }
  return slack * dimension * steps * ROUND_UP
}

/** The standard deviation of a site's share in grid units: what its sampler is made with. */
export function shareSigma(share: { readonly noiseMultiplier: number; readonly dimension: number }): number {
  return gridSigma(share)
}
