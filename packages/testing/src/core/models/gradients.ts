import { gradientName } from '@fedsvd/core/models'
import type { DenseTensor } from '../../../../core/src/autodiff/dense.ts'

type Results = Readonly<Record<string, DenseTensor>>

/** The records' gradients of a trained tensor, one array for each record. */
export function gradientsOf(results: Results, name: string): readonly Float64Array[] {
  const { shape, data } = results[gradientName(name)]!
  const size = data.length / shape[0]!
  return Array.from({ length: shape[0]! }, (_, n) => data.slice(n * size, (n + 1) * size))
}

/** Their sum over the records. */
export function summedGradient(results: Results, name: string): Float64Array {
  return gradientsOf(results, name).reduce((sum, own) => sum.map((value, at) => value + own[at]!))
}
