import type { Adjoint } from './adjoint.ts'
import type { GraphBuilder } from './builder.ts'
import * as ops from './operators.ts'
import type { Operation, OperatorName, Value } from './value.ts'

type OuterAdjoint = Extract<Adjoint, { kind: 'outer' }>

type WeightRule = (
  g: GraphBuilder,
  operation: Operation,
  adjoint: OuterAdjoint,
  wants: (index: number) => boolean,
) => readonly (Adjoint | undefined)[]

/*
 * Y = alpha * P Q + C, with P = op(A) and Q = op(B). When record n's derivative of Y is left_n^T right_n, then
 *   dP_n = alpha * left_n^T (right_n Q^T)   and   dQ_n = (alpha * left_n P)^T right_n.
 * The products on the thin side come first, so nothing of the size of Y is made per record.
 */
const gemmRule: WeightRule = (g, { inputs, attributes }, { left, right }, wants) => {
  const [a, b] = inputs as [Value, Value, Value]
  const flag = (name: 'transA' | 'transB') => (attributes[name] as { int: number }).int === 1
  const { float: alpha } = attributes.alpha as { float: number }
  const p = flag('transA') ? ops.transposeMatrix(g, a) : a
  const transposedQ = flag('transB') ? b : ops.transposeMatrix(g, b)
  const orient = (adjoint: OuterAdjoint, isTransposed: boolean): OuterAdjoint =>
    isTransposed ? { kind: 'outer', left: adjoint.right, right: adjoint.left } : adjoint
  const ofA = () => ({ kind: 'outer', left, right: ops.scale(g, ops.matmul(g, right, transposedQ), alpha) }) as const
  const ofB = () => ({ kind: 'outer', left: ops.scale(g, ops.matmul(g, left, p), alpha), right }) as const
  return [
    wants(0) ? orient(ofA(), flag('transA')) : undefined,
    wants(1) ? orient(ofB(), flag('transB')) : undefined,
    wants(2) ? { kind: 'outer', left, right } : undefined,
  ]
}

/** The derivative rules for matrices that all records share, such as `W0 + scale * B A`. */
export const WEIGHT_RULES: Readonly<Partial<Record<OperatorName, WeightRule>>> = {
  Gemm: gemmRule,
  Transpose: (_g, _operation, { left, right }) => [{ kind: 'outer', left: right, right: left }],
}
