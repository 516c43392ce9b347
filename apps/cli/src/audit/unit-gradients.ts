import type { AdapterState } from '@fedsvd/core/lora'
import type { LabelledRecord } from '@fedsvd/engine/datasets'
import type { TrainingEngine } from '@fedsvd/engine/training'

/** A gradient, tensor by tensor, and the factor that makes it the clipped one in units of the clip norm. */
export interface UnitGradient {
  readonly gradient: readonly Float32Array[]
  readonly scale: number
}

/** Gradients of single records, as the auditor knows them. */
export async function unitGradients(
  engine: TrainingEngine,
  records: readonly LabelledRecord[],
  state: AdapterState,
  clipNorm: number,
): Promise<UnitGradient[]> {
  const found = await engine.recordGradients(records, state)
  return found.map(({ gradient }) => {
    const norm = Math.sqrt(inner(gradient, gradient))
    return { gradient, scale: Math.min(1 / clipNorm, 1 / norm) }
  })
}

/** The inner product of two lists of tensors of single precision, in double. */
export function inner(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return a.reduce((sum, part, t) => sum + dot(part, b[t]!), 0)
}

/** The inner product of two arrays of single precision, in double. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
