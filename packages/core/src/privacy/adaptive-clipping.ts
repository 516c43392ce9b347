import { FedsvdError } from '../errors.ts'
import { SMOOTHING } from './sensitivity.ts'

/*
 * A clip norm that follows a quantile of the norms (Andrew, Thakkar, McMahan, Ramaswamy 2021, arXiv 1905.03871,
 * algorithm 1). The unit is a record at a client, or a client at the coordinator; "each" below is one of them.
 *
 * Each casts a vote with its gradient: +1 when its norm is at most the clip norm, -1 when it is above (twice the
 * paper's b - 1/2); a norm that is not a number votes as one above. The gradient sum and the sum of votes are released
 * together, as ONE Gaussian mechanism in dimension + 1 coordinates. Adding or removing one changes the gradient sum by
 * at most the grid sensitivity S and the votes by exactly 1; with noise sigma_g = S z / sqrt(1 - rho) and sigma_v = z /
 * sqrt(rho), the change measured in standard deviations is at most
 *
 *     sqrt((S / sigma_g)^2 + (1 / sigma_v)^2) = sqrt((1 - rho) / z^2 + rho / z^2) = 1 / z:
 *
 * a Gaussian mechanism of noise multiplier z, which is what the event says and what both accountants count. This is the
 * paper's split z_delta = (z^-2 - (2 sigma_b)^-2)^(-1/2) (its theorem 1) with sigma_b = z / (2 sqrt(rho)); a share rho
 * of the budget instead of sigma_b holds for every z and every lot, where a fixed sigma_b has no solution below z / 2.
 *
 * Moving the clip norm is post-processing: whatever is done with noised votes costs nothing more. Noise is in
 * proportion to the clip norm in force, so that its value, too, costs nothing.
 */

/** Public constants of a run that adapts its clip norm. */
export interface AdaptiveClipping {
  /** The share of norms that should lie at or below the clip norm (gamma): 0 < quantile < 1. */
  readonly quantile: number
  /** How fast the clip norm moves (eta_C): it changes by at most this factor of e in a round. */
  readonly learningRate: number
  /**
   * The share rho of the mechanism's budget, in units of 1 / noiseMultiplier^2, that the votes take: 0 < countShare <
   * 1.
   */
  readonly countShare: number
}

/**
 * Integer weight of one vote: it makes the noise of the votes wide against the integers, like that of the gradients.
 */
export const VOTE_UNIT = 2 ** 10

/**
 * Noise multipliers of the two parts, each over its own sensitivity. Without adaptive clipping the sum has all of it.
 */
export function splitNoise(
  noiseMultiplier: number,
  adaptive: Pick<AdaptiveClipping, 'countShare'> | undefined,
): { readonly sum: number; readonly votes: number } {
  if (adaptive === undefined) return { sum: noiseMultiplier, votes: Number.POSITIVE_INFINITY }
  const { countShare } = adaptive
  if (!(noiseMultiplier > 0 && countShare > 0 && countShare < 1)) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: 'a noiseMultiplier above 0 and a countShare between 0 and 1',
      got: JSON.stringify({ noiseMultiplier, countShare }),
      remedy: 'Correct adaptiveClipping.countShare of the run; nothing was drawn.',
    })
  }
  return { sum: noiseMultiplier / Math.sqrt(1 - countShare), votes: noiseMultiplier / Math.sqrt(countShare) }
}

/**
 * Parameter of the discrete Gaussian on the votes, in units of 1 / VOTE_UNIT votes; see `gridSigma` for the smoothing.
 */
export function voteSigma(voteNoise: number): number {
  return Math.hypot(voteNoise * VOTE_UNIT, SMOOTHING)
}

/**
 * The share of norms at or below the clip norm, from a noised sum of votes (in units of 1 / VOTE_UNIT). `expected` is
 * how many votes are expected, a public constant: votes that were not cast count as halves. Noise may carry it outside
 * [0, 1].
 */
export function shareUnder(noisedVotes: number, expected: number): number {
  return 0.5 + noisedVotes / (2 * VOTE_UNIT * expected)
}

/** A clip norm stays within this factor, up and down, of the one that the run began with. */
export const CLIP_NORM_RANGE = 2 ** 20

/**
 * The clip norm of the next round: C exp(-eta (share - quantile)), the geometric update of the paper, with the mean of
 * the shares, each brought into [0, 1]: one sender of nonsense moves it by no more than an honest one could.
 *
 * No shares leave it as it is.
 */
export function adaptedClipNorm(
  clipNorm: number,
  shares: readonly number[],
  { quantile, learningRate }: AdaptiveClipping,
  start: number,
): number {
  if (shares.length === 0) return clipNorm
  const mean = shares.reduce((sum, share) => sum + Math.min(1, Math.max(0, share)), 0) / shares.length
  const moved = clipNorm * Math.exp(-learningRate * (mean - quantile))
  return Math.min(start * CLIP_NORM_RANGE, Math.max(start / CLIP_NORM_RANGE, moved))
}
