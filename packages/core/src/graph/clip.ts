import { axesWithinRecord, type PerRecordGradient } from './adjoint.ts'
import type { GraphBuilder } from './builder.ts'
import * as ops from './operators.ts'
import { BATCH, type Value } from './value.ts'

/** One sum per trained tensor, in the tensor's own shape, and the norms [N] before clipping. */
export interface ClippedGridSum {
  readonly sums: readonly Value[]
  readonly norms: Value
}

/**
 * Clips every record's gradient and sums over the records, in integers.
 *
 *   norm_n = L2 norm over all trained tensors together
 *   q_n    = round(g_n * min(1, clipNorm / norm_n) / grid),   grid = clipNorm * 2^-gridBits
 *   sum    = q_1 + ... + q_N
 *
 * `clipNorm` is a float32 scalar > 0. A zero gradient gives zeros. A NaN or infinite gradient shows in `norms`, which the
 * caller must check. The q_n are integers held in float32, so the sum is exact in any order while it stays below 2^24:
 * the
 * caller bounds N by `MAX_MICRO_BATCH` of the privacy folder.
 */
export function clippedGridSum(
  g: GraphBuilder,
  gradients: readonly PerRecordGradient[],
  clipNorm: Value,
  gridBits: number,
): ClippedGridSum {
  const squares = gradients.map(({ value }) => ops.reduceSumSquare(g, value, axesWithinRecord(value), false))
  const norms = ops.sqrt(
    g,
    squares.reduce((sum, square) => ops.add(g, sum, square)),
  )
  const cells = g.scalar(2 ** gridBits)
  const factor = ops.min(g, ops.div(g, cells, clipNorm), ops.div(g, cells, norms))
  const sums = gradients.map(({ value, transposed }) => {
    const perRecord = ops.reshape(g, factor, [BATCH, ...axesWithinRecord(value).map(() => 1)])
    const sum = ops.reduceSum(g, ops.round(g, ops.mul(g, value, perRecord)), [0], false)
    return transposed ? ops.transposeMatrix(g, sum) : sum
  })
  return { sums, norms }
}
