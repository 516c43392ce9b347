import { FedsvdError } from '../errors.ts'
import type { GraphBuilder } from './builder.ts'
import { add, matmul, reduceSum, reshape, sameShape, transposeMatrix } from './operators.ts'
import { BATCH, formatShape, isPerRecord, type Value } from './value.ts'

/**
 * The derivative of every record's loss with respect to one value, never summed over the records.
 *
 * `dense`: for a per-record value, a tensor of its own shape; for a value that all records share (a weight of shape S),
 * a tensor of shape [N, ...S]. `outer`: for a shared matrix [p, q] only; record n has `left_n^T right_n`, with left [N,
 * s, p] and right [N, s, q] (or [N, p] and [N, q]). It stays a product until a trained tensor is reached: for a weight
 * W0 + scale * B A the [N, p, q] tensor would be hundreds of times larger than the factors' gradients.
 */
export type Adjoint =
  | { readonly kind: 'dense'; readonly value: Value }
  | { readonly kind: 'outer'; readonly left: Value; readonly right: Value }

/** The gradient of a trained tensor for every record; `transposed` says that its last two axes are exchanged. */
export interface PerRecordGradient {
  readonly parameter: Value
  readonly value: Value
  readonly transposed: boolean
}

export const dense = (value: Value): Adjoint => ({ kind: 'dense', value })

/** Undoes broadcasting: sums over the axes along which `target` was repeated, but never over the records. */
export function unbroadcast(g: GraphBuilder, adjoint: Value, target: Value): Value {
  if (sameShape(adjoint.shape, target.shape)) return adjoint
  const shape = isPerRecord(target) ? target.shape : [BATCH, ...target.shape]
  const offset = adjoint.shape.length - target.shape.length
  const repeated = adjoint.shape.flatMap((dim, axis) => {
    const own = axis < offset ? 1 : target.shape[axis - offset]
    return axis > 0 && own === 1 && dim !== 1 ? [axis] : []
  })
  if (adjoint.shape[0] !== BATCH) {
    throw new FedsvdError('GRAPH_INVALID', {
      expected: 'a derivative per record',
      got: formatShape(adjoint.shape),
      remedy: 'Keep the records along the leading axis of every value between the trained tensors and the loss.',
    })
  }
  const summed = repeated.length > 0 ? reduceSum(g, adjoint, repeated, true) : adjoint
  return reshape(g, summed, shape)
}

/** The sum of all contributions to one trained tensor, with outer products multiplied out. */
export function materialise(g: GraphBuilder, parameter: Value, adjoints: readonly Adjoint[]): PerRecordGradient {
  const parts = adjoints.map((adjoint) => multiplyOut(g, adjoint))
  const transposed = parts.every((part) => part.transposed)
  const value = parts
    .map((part) => (part.transposed && !transposed ? transposeMatrix(g, part.value) : part.value))
    .reduce((sum, part) => add(g, sum, part))
  return { parameter, value, transposed }
}

/** `left_n^T right_n`, or its transpose where that means transposing the narrower of the two. */
function multiplyOut(g: GraphBuilder, adjoint: Adjoint): { value: Value; transposed: boolean } {
  if (adjoint.kind === 'dense') return { value: adjoint.value, transposed: false }
  const { left, right } = adjoint
  const [p, q] = [left.shape.at(-1) as number, right.shape.at(-1) as number]
  const transposed = p > q
  const [narrow, wide] = transposed ? [right, left] : [left, right]
  if (left.shape.length > 2) return { value: matmul(g, transposeMatrix(g, narrow), wide), transposed }
  const column = reshape(g, narrow, [BATCH, Math.min(p, q), 1])
  const row = reshape(g, wide, [BATCH, 1, Math.max(p, q)])
  return { value: matmul(g, column, row), transposed }
}
