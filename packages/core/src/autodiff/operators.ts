import { FedsvdError } from '../errors.ts'
import type { GraphBuilder } from './builder.ts'
import {
  axisFromFront,
  type Dim,
  type DType,
  formatShape,
  isPerRecord,
  type OperatorName,
  type Shape,
  type Value,
} from './value.ts'

/*
 * One function per ONNX operator: it checks ranks and shapes, so that a wrong model fails when it is written down and
 * not when it runs. Semantics are those of the ONNX specification, opset 18.
 */

type Unary = (g: GraphBuilder, x: Value) => Value
type Binary = (g: GraphBuilder, a: Value, b: Value) => Value

const unary =
  (op: OperatorName): Unary =>
  (g, x) =>
    one(g.apply(op, [x], [x]))

const binary =
  (op: OperatorName, dtype?: DType): Binary =>
  (g, a, b) => {
    if (a.dtype !== b.dtype) throw mismatch(op, 'operands of one element type', `${a.dtype} and ${b.dtype}`)
    return one(g.apply(op, [a, b], [{ dtype: dtype ?? a.dtype, shape: broadcastShape(op, a.shape, b.shape) }]))
  }

export const neg = unary('Neg')
export const exp = unary('Exp')
export const sqrt = unary('Sqrt')
export const tanh = unary('Tanh')
/** The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x. */
export const erf = unary('Erf')
export const relu = unary('Relu')
export const sigmoid = unary('Sigmoid')
/** `x * P(Z <= x)` for a standard normal Z, by the error function (Hendrycks and Gimpel 2016, arXiv 1606.08415). */
export const gelu = unary('Gelu')
/** To the nearest integer, halves to even. */
export const round = unary('Round')

export const add = binary('Add')
export const sub = binary('Sub')
export const mul = binary('Mul')
export const div = binary('Div')
export const min = binary('Min')
export const max = binary('Max')
export const equal = binary('Equal', 'bool')
export const greater = binary('Greater', 'bool')
export const greaterOrEqual = binary('GreaterOrEqual', 'bool')

/** Multiplication by a fixed number. */
export function scale(g: GraphBuilder, x: Value, factor: number): Value {
  return factor === 1 ? x : mul(g, x, g.scalar(factor))
}

/** 1 where true, 0 where false. */
export function toFloat(g: GraphBuilder, x: Value): Value {
  return one(g.apply('Cast', [x], [{ dtype: 'float32', shape: x.shape }], { to: { int: 1 } }))
}

/** Whole numbers as int32, which ids and places are; larger ones than it holds are the caller's fault. */
export function toInt32(g: GraphBuilder, x: Value): Value {
  return one(g.apply('Cast', [x], [{ dtype: 'int32', shape: x.shape }], { to: { int: 6 } }))
}

/** The position of the largest value along the last axis, the first of equals: int32. */
export function argMax(g: GraphBuilder, x: Value): Value {
  const shape = x.shape.slice(0, -1)
  const attributes = { axis: { int: -1 }, keepdims: { int: 0 } }
  return toInt32(g, one(g.apply('ArgMax', [x], [{ dtype: 'int64', shape }], attributes)))
}

/** Matrix product over the last two dimensions; leading dimensions broadcast. */
export function matmul(g: GraphBuilder, a: Value, b: Value): Value {
  const [rows, inner] = a.shape.slice(-2)
  const [innerOfB, columns] = b.shape.slice(-2)
  if (a.shape.length < 2 || b.shape.length < 2 || inner !== innerOfB) {
    throw mismatch('MatMul', 'inner sizes that agree', `${formatShape(a.shape)} and ${formatShape(b.shape)}`)
  }
  const leading = broadcastShape('MatMul', a.shape.slice(0, -2), b.shape.slice(0, -2))
  return one(g.apply('MatMul', [a, b], [{ dtype: 'float32', shape: [...leading, rows!, columns!] }]))
}

/** `alpha * op(a) op(b) + c` on matrices, where op transposes if asked to. */
export function gemm(
  g: GraphBuilder,
  a: Value,
  b: Value,
  c: Value,
  { alpha = 1, transA = false, transB = false }: { alpha?: number; transA?: boolean; transB?: boolean } = {},
): Value {
  const [rows, inner] = transA ? [...a.shape].reverse() : a.shape
  const [innerOfB, columns] = transB ? [...b.shape].reverse() : b.shape
  const fits =
    a.shape.length === 2 && b.shape.length === 2 && inner === innerOfB && sameShape(c.shape, [rows!, columns!])
  if (!fits) {
    throw mismatch('Gemm', 'matrices that fit', [a, b, c].map(({ shape }) => formatShape(shape)).join(', '))
  }
  const attributes = { alpha: { float: alpha }, transA: { int: Number(transA) }, transB: { int: Number(transB) } }
  return one(g.apply('Gemm', [a, b, c], [c], attributes))
}

export function transpose(g: GraphBuilder, x: Value, permutation: readonly number[]): Value {
  const isPermutation = [...permutation].sort((a, b) => a - b).every((axis, index) => axis === index)
  if (permutation.length !== x.shape.length || !isPermutation) {
    throw mismatch('Transpose', `a permutation of ${x.shape.length} axes`, formatShape(permutation))
  }
  const shape = permutation.map((axis) => x.shape[axis]!)
  return one(g.apply('Transpose', [x], [{ dtype: x.dtype, shape }], { perm: { ints: permutation } }))
}

/** The last two dimensions exchanged; of a shared matrix that was exchanged before, the matrix itself. */
export function transposeMatrix(g: GraphBuilder, x: Value): Value {
  const origin = g.producerOf(x)
  if (origin?.op === 'Transpose' && x.shape.length === 2 && !isPerRecord(x)) return origin.inputs[0]!
  const rank = x.shape.length
  const axes = x.shape.map((_, axis) => axis)
  return transpose(g, x, [...axes.slice(0, rank - 2), rank - 1, rank - 2])
}

/** Another shape for the same elements; at most one symbolic size may change its position. */
export function reshape(g: GraphBuilder, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x
  const target = shape.map((dim, axis) => (typeof dim === 'number' ? dim : dim === x.shape[axis] ? 0 : -1))
  const fits = monomial(x.shape) === monomial(shape) && target.filter((dim) => dim === -1).length <= 1
  if (!fits) throw mismatch('Reshape', `a shape with the elements of ${formatShape(x.shape)}`, formatShape(shape))
  return one(g.apply('Reshape', [x, g.integers(target)], [{ dtype: x.dtype, shape }]))
}

/** Over the last axis. */
export function softmax(g: GraphBuilder, x: Value): Value {
  return one(g.apply('Softmax', [x], [x], { axis: { int: -1 } }))
}

/** Over the last axis. */
export function logSoftmax(g: GraphBuilder, x: Value): Value {
  return one(g.apply('LogSoftmax', [x], [x], { axis: { int: -1 } }))
}

/** Over the last axis: `(x - mean) / sqrt(variance + epsilon) * gain + bias`. */
export function layerNorm(g: GraphBuilder, x: Value, gain: Value, bias: Value, epsilon: number): Value {
  const width = x.shape.at(-1)!
  if (!sameShape(gain.shape, [width]) || !sameShape(bias.shape, [width])) {
    throw mismatch('LayerNormalization', `gain and bias of size ${width}`, formatShape([...gain.shape, ...bias.shape]))
  }
  const statistics = { dtype: 'float32', shape: [...x.shape.slice(0, -1), 1] } as const
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } }
  return g.apply('LayerNormalization', [x, gain, bias], [x, statistics, statistics], attributes)[0]!
}

type Reduction = (g: GraphBuilder, x: Value, axes: readonly number[], keepDims: boolean) => Value

const reduction =
  (op: OperatorName): Reduction =>
  (g, x, axes, keepDims) => {
    const reduced = axes.map((axis) => axisFromFront(x.shape, axis))
    const shape = x.shape.flatMap((dim, axis) => (reduced.includes(axis) ? (keepDims ? [1] : []) : [dim]))
    const attributes = { keepdims: { int: Number(keepDims) } }
    return one(g.apply(op, [x, g.integers(reduced)], [{ dtype: x.dtype, shape }], attributes))
  }

export const reduceSum = reduction('ReduceSum')
/** `log(sum(exp(x)))`, without overflow. */
export const reduceLogSumExp = reduction('ReduceLogSumExp')
export const reduceMean = reduction('ReduceMean')
export const reduceSumSquare = reduction('ReduceSumSquare')

/** Rows of a table; an id of -1 is the last row, as in ONNX. */
export function gatherRows(g: GraphBuilder, table: Value, ids: Value): Value {
  const shape = [...ids.shape, ...table.shape.slice(1)]
  return one(g.apply('Gather', [table, ids], [{ dtype: table.dtype, shape }], { axis: { int: 0 } }))
}

/** The first rows of a table, as many as `like` is long along `axis`. */
export function firstRows(g: GraphBuilder, table: Value, like: Value, axis: number): Value {
  const bounds = { start: { int: axis }, end: { int: axis + 1 } }
  const [length] = g.apply('Shape', [like], [{ dtype: 'int64', shape: [1] }], bounds)
  const shape = [like.shape[axis]!, ...table.shape.slice(1)]
  return one(g.apply('Slice', [table, g.integers([0]), length!, g.integers([0])], [{ dtype: table.dtype, shape }]))
}

/** Consecutive parts of the given sizes along one axis. */
export function split(g: GraphBuilder, x: Value, axis: number, sizes: readonly number[]): readonly Value[] {
  const at = axisFromFront(x.shape, axis)
  if (sizes.reduce((sum, size) => sum + size, 0) !== x.shape[at]) {
    throw mismatch('Split', `sizes that add up to ${x.shape[at]}`, formatShape(sizes))
  }
  const types = sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.with(at, size) }))
  return g.apply('Split', [x, g.integers(sizes)], types, { axis: { int: at } })
}

/** Parts side by side along one axis. */
export function concat(g: GraphBuilder, parts: readonly Value[], axis: number): Value {
  const first = parts[0]!
  const at = axisFromFront(first.shape, axis)
  const sizes = parts.map(({ shape }) => shape[at])
  const fits = parts.every(({ shape }) => sameShape(shape.with(at, 0), first.shape.with(at, 0)))
  if (!fits || !sizes.every((size) => typeof size === 'number')) {
    throw mismatch('Concat', 'parts that differ in one numeric axis', parts.map((p) => formatShape(p.shape)).join(', '))
  }
  const total = sizes.reduce((sum: number, size) => sum + (size as number), 0)
  return one(
    g.apply('Concat', parts, [{ dtype: first.dtype, shape: first.shape.with(at, total) }], { axis: { int: at } }),
  )
}

/** `x` repeated until it has the shape of `like`. */
export function expandLike(g: GraphBuilder, x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x
  const [target] = g.apply('Shape', [like], [{ dtype: 'int64', shape: [like.shape.length] }])
  return one(g.apply('Expand', [x, target!], [{ dtype: x.dtype, shape: like.shape }]))
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}

/** The shape of an elementwise result: sizes agree, or one of them is 1. */
export function broadcastShape(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, index) => {
    const x: Dim = a[index - rank + a.length] ?? 1
    const y: Dim = b[index - rank + b.length] ?? 1
    if (x !== y && x !== 1 && y !== 1) {
      throw mismatch(op, 'shapes that broadcast', `${formatShape(a)} and ${formatShape(b)}`)
    }
    return x === 1 ? y : x
  })
}

/** The number of elements as a product: `N*T*512`. */
function monomial(shape: Shape): string {
  const numeric = shape.filter((dim) => typeof dim === 'number').reduce((product, dim) => product * dim, 1)
  return [...shape.filter((dim) => typeof dim === 'string').sort(), numeric].join('*')
}

function one(values: readonly Value[]): Value {
  return values[0]!
}

function mismatch(op: string, expected: string, got: string): FedsvdError {
  return new FedsvdError('GRAPH_INVALID', { expected: `${op}: ${expected}`, got, remedy: 'Correct the model.' })
}
