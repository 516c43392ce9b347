import { GRID_BITS, gridSensitivity } from '../privacy/index.ts'
import { shareSigma } from './noise-shares.ts'
import { refused } from './refusals.ts'
import type { ModulusBits } from './ring.ts'

/** A sum is given a ring that it leaves with at most this chance. */
export const MOST_WRAP_AROUND = 2 ** -64

/** The sum that a ring has to hold. */
export interface SumSize {
  readonly sites: number
  /**
   * Expected records (or persons) in the lots of all sites together. Where sites declare fewer than they have, as many
   * more: the lots follow the true numbers.
   */
  readonly expectedLots: number
  /** The noise multiplier of one site's share. */
  readonly noiseMultiplier: number
  readonly dimension: number
}

/**
 * A bound on the chance that any coordinate of one sum of honest sites is outside [-2^(w-1), 2^(w-1)) and so wraps
 * around. Of a sum that does not, every bit is right.
 *
 * Records and noise are bounded apart, at the split of the range that is best. A record moves a coordinate by at most
 * its norm, so the records exceed a times that only if more than a are drawn: Chernoff's bound for a sum of independent
 * coins of mean mu says P <= exp(-(a ln(a / mu) - a + mu)). The noise is a sum of discrete Gaussians, sub-Gaussian with
 * the variance of their parameters (Canonne, Kamath and Steinke 2020): P <= 2 exp(-x^2 / (2 sites sigma^2)) for each
 * coordinate.
 */
export function wrapAroundProbability(size: SumSize, modulusBits: ModulusBits): number {
  const { sites, expectedLots, noiseMultiplier, dimension } = size
  const range = 2 ** (modulusBits - 1) - 1
  const ofRecord = gridSensitivity({ dimension, gridBits: GRID_BITS })
  const variance = sites * shareSigma({ noiseMultiplier, dimension }) ** 2
  let least = 1
  for (let part = 1; part < SPLITS; part++) {
    const records = (range * part) / SPLITS / ofRecord
    const ofNoise = (range * (SPLITS - part)) / SPLITS
    const tooMany =
      records <= expectedLots ? 1 : Math.exp(records - expectedLots - records * Math.log(records / expectedLots))
    const tooLoud = 2 * dimension * Math.exp(-(ofNoise ** 2) / (2 * variance))
    least = Math.min(least, tooMany + tooLoud)
  }
  return least
}

const SPLITS = 256

/**
 * The narrowest ring that a sum leaves with a chance of at most 2^-64: half the bytes and half the time of masks.
 *
 * @throws FedsvdError SUM_REFUSED where even 2^64 is too small
 */
export function modulusFor(size: SumSize): ModulusBits {
  for (const bits of [32, 64] as const) if (wrapAroundProbability(size, bits) <= MOST_WRAP_AROUND) return bits
  throw refused(
    'lots and noise that 64 bits hold',
    `${size.sites} sites with ${size.expectedLots} expected records and noise ${size.noiseMultiplier}`,
    'Check the noise multiplier and the lots of the run.',
  )
}
