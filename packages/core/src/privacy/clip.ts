import { FedsvdError } from '../errors.ts'
import { flatNorm, type NamedTensor } from '../tensor/index.ts'
import { isPositive, requireFinite } from './checks.ts'
import { gridOf } from './sensitivity.ts'

/** Tensors scaled to a flat norm of at most clipNorm, with the norm they had and the factor they were multiplied by. */
export interface Clipped {
  readonly tensors: readonly NamedTensor[]
  readonly norm: number
  readonly scale: number
}

/**
 * Scales tensors by min(1, clipNorm / norm), where norm is ONE L2 norm over all of them together.
 *
 * - A norm of clipNorm or less leaves the values as they are; a norm of 0 gives zeros, with a scale of 1.
 * - NaN and infinity are refused with NOT_FINITE before anything is scaled: clipping would turn them into numbers.
 * - No tensor at all is a norm of 0.
 *
 * This is the reference for what the engine does inside its graph, and the clip of client-level updates.
 */
export function clipFlat(tensors: readonly NamedTensor[], clipNorm: number): Clipped {
  requireClipNorm(clipNorm)
  const norm = finiteNorm(tensors)
  const scale = norm > clipNorm ? clipNorm / norm : 1
  const scaled = tensors.map(({ name, shape, data }) => ({ name, shape, data: data.map((value) => value * scale) }))
  return { tensors: scaled, norm, scale }
}

/**
 * The integer contribution of one record: Round(min(1, clipNorm / norm) * g / grid), grid = clipNorm * 2^-GRID_BITS, one
 * array per tensor. Rounds to nearest, ties to even, as the ONNX operator `Round` does. Same edge cases as {@link clipFlat}.
 */
export function gridContribution(gradient: readonly NamedTensor[], clipNorm: number): readonly Float64Array[] {
  requireClipNorm(clipNorm)
  const norm = finiteNorm(gradient)
  const factor = (norm > clipNorm ? clipNorm / norm : 1) / gridOf(clipNorm)
  return gradient.map(({ data }) => Float64Array.from(data, (value) => roundHalfToEven(value * factor)))
}

/** The norm of finite tensors; NOT_FINITE names the first tensor that holds NaN or infinity. */
function finiteNorm(tensors: readonly NamedTensor[]): number {
  requireFinite(
    tensors,
    'finite values before clipping',
    'Lower the learning rate or look for the record that overflows; nothing was released.',
  )
  return flatNorm(tensors)
}

function requireClipNorm(clipNorm: number): void {
  if (!isPositive(clipNorm)) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: 'a finite clipNorm above 0',
      got: String(clipNorm),
      remedy: 'Set the clipNorm of the run.',
    })
  }
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}
