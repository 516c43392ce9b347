import { FedsvdError } from '../errors.ts'
import { CLIP_TARGET, GRID_BITS } from './sensitivity.ts'

/** A trained tensor's share of a gradient, or a part of it. */
export type GradientPart = Float32Array | Float64Array

/**
 * What a gradient of this norm is multiplied by, to be clipped and in grid units: the smaller of 2^GRID_BITS /
 * clipNorm, which leaves its length as it is, and CLIP_TARGET / norm.
 */
export function gridFactor(norm: number, clipNorm: number): number {
  return Math.min(2 ** GRID_BITS / clipNorm, CLIP_TARGET / norm)
}

/**
 * Writes Round(value * factor) for every value, ties to even, into `integers`, from `start` on.
 *
 * @returns the sum of their squares, exact while it is at most 2^53; above 2^53, or NaN, where a value is too large or
 *   none
 */
export function roundTo(integers: Float64Array, start: number, part: GradientPart, factor: number): number {
  // Four sums side by side: one alone would wait for each of its additions.
  let [a, b, c, d] = [0, 0, 0, 0]
  const whole = part.length - (part.length % 4)
  for (let i = 0; i < whole; i += 4) {
    const p = part[i]! * factor + ROUNDS - ROUNDS
    const q = part[i + 1]! * factor + ROUNDS - ROUNDS
    const r = part[i + 2]! * factor + ROUNDS - ROUNDS
    const s = part[i + 3]! * factor + ROUNDS - ROUNDS
    integers[start + i] = p
    integers[start + i + 1] = q
    integers[start + i + 2] = r
    integers[start + i + 3] = s
    a += p * p
    b += q * q
    c += r * r
    d += s * s
  }
  for (let i = whole; i < part.length; i++) {
    const p = part[i]! * factor + ROUNDS - ROUNDS
    integers[start + i] = p
    a += p * p
  }
  return a + b + (c + d)
}

/**
 * Added and taken away again, this rounds |x| < 2^51 to the nearest integer: in [2^52, 2^53] the doubles are the
 * integers. Beyond 2^51 the result is not always an integer, but its square is far above every bound.
 */
const ROUNDS = 1.5 * 2 ** 52

/** Within these 2^GRID_BITS / clipNorm, the grid and what is computed with them are normal doubles. */
const CLIP_NORMS = { least: 2 ** -900, most: 2 ** 900 } as const

/** NOISE_INVALID unless the clip norm is a positive number that float64 can divide by. */
export function requireClipNorm(clipNorm: number): void {
  if (clipNorm >= CLIP_NORMS.least && clipNorm <= CLIP_NORMS.most) return
  throw new FedsvdError('NOISE_INVALID', {
    expected: `a clipNorm from ${CLIP_NORMS.least} to ${CLIP_NORMS.most}`,
    got: String(clipNorm),
    remedy: 'Set the clipNorm of the run.',
  })
}
