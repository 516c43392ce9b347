import type { Attribute, OperatorName } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'
import type * as TensorFlow from '@tensorflow/tfjs-core'
import type { Tensor } from '@tensorflow/tfjs-core'

/** The functions of TensorFlow.js, from whichever package brought them. */
export type Tf = typeof TensorFlow

/** A list of sizes or axes: int64 in the graph. TensorFlow.js has no int64, and shapes belong on the host. */
export type Sizes = number[]

/** A value while a graph runs. */
export type Held = Tensor | Sizes

type Attributes = Readonly<Record<string, Attribute>>
type Operator = (tf: Tf, inputs: readonly Held[], attributes: Attributes) => Held[]

/*
 * Every operator of the graph by operations of TensorFlow.js. Only operations that every backend of it has are used:
 * the CPU's, wasm's and TensorFlow's own. Operands are transposed before a product, because a flag costs wasm far more.
 */

const unary =
  (f: (tf: Tf, x: Tensor) => Tensor): Operator =>
  (tf, [x]) => [f(tf, tensor(x))]

const binary =
  (f: (tf: Tf, a: Tensor, b: Tensor) => Tensor): Operator =>
  (tf, [a, b]) => [f(tf, tensor(a), tensor(b))]

const reduction =
  (f: (tf: Tf, x: Tensor, axes: number[], keepDims: boolean) => Tensor): Operator =>
  (tf, [x, axes], attributes) => [f(tf, tensor(x), sizes(axes), int(attributes, 'keepdims') === 1)]

/**
 * Matrix product over the last two dimensions. A matrix that all records share is multiplied by all rows at once; other
 * leading dimensions are repeated where they differ, since the backends do not agree on how they broadcast.
 */
function matmul(tf: Tf, a: Tensor, b: Tensor): Tensor {
  const [rows, inner] = a.shape.slice(-2) as [number, number]
  const columns = b.shape.at(-1)!
  if (b.rank === 2) {
    const product = tf.matMul(tf.reshape(a, [-1, inner]), b)
    return tf.reshape(product, [...a.shape.slice(0, -1), columns])
  }
  const leading = commonShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const batch = leading.reduce((product, size) => product * size, 1)
  const repeated = (x: Tensor) =>
    tf.reshape(expand(tf, x, [...leading, ...x.shape.slice(-2)]), [batch, ...x.shape.slice(-2)])
  return tf.reshape(tf.matMul(repeated(a), repeated(b)), [...leading, rows, columns])
}

function expand(tf: Tf, x: Tensor, target: readonly number[]): Tensor {
  const shape = commonShape(x.shape, target)
  return String(shape) === String(x.shape) ? tf.clone(x) : tf.broadcastTo(x, shape)
}

function commonShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1]
    return x === 1 ? y : x
  })
}

const gemm: Operator = (tf, [a, b, c], attributes) => {
  const left = int(attributes, 'transA') === 1 ? tf.transpose(tensor(a)) : tensor(a)
  const right = int(attributes, 'transB') === 1 ? tf.transpose(tensor(b)) : tensor(b)
  const alpha = (attributes.alpha as { float: number }).float
  return [tf.add(tf.mul(matmul(tf, left, right), alpha), tensor(c))]
}

const layerNorm: Operator = (tf, [input, gain, bias], attributes) => {
  const x = tensor(input)
  const mean = tf.mean(x, -1, true)
  const centred = tf.sub(x, mean)
  const variance = tf.mean(tf.square(centred), -1, true)
  const epsilon = (attributes.epsilon as { float: number }).float
  const invStdDev = tf.div(1, tf.sqrt(tf.add(variance, epsilon)))
  return [tf.add(tf.mul(tf.mul(centred, invStdDev), tensor(gain)), tensor(bias)), mean, invStdDev]
}

/** An id below zero counts from the end of the table, as in ONNX; TensorFlow.js would read beyond it. */
const gather: Operator = (tf, [table, ids], attributes) => {
  const [rows, positions] = [tensor(table), tensor(ids)]
  const axis = int(attributes, 'axis')
  const length = tf.scalar(rows.shape[axis]!, 'int32')
  const fromEnd = tf.mul(tf.cast(tf.less(positions, tf.scalar(0, 'int32')), 'int32'), length)
  return [tf.gather(rows, tf.add(positions, fromEnd), axis)]
}

const reshape: Operator = (tf, [x, target]) => {
  const from = tensor(x)
  return [
    tf.reshape(
      from,
      sizes(target).map((size, axis) => (size === 0 ? from.shape[axis]! : size)),
    ),
  ]
}

const slice: Operator = (tf, [x, starts, ends, axes]) => {
  const from = tensor(x)
  const [begin, size] = [from.shape.map(() => 0), [...from.shape]]
  for (const [index, axis] of sizes(axes).entries()) {
    const bound = (position: number) =>
      Math.min(position < 0 ? position + from.shape[axis]! : position, from.shape[axis]!)
    begin[axis] = bound(sizes(starts)[index]!)
    size[axis] = bound(sizes(ends)[index]!) - begin[axis]
  }
  return [tf.slice(from, begin, size)]
}

const shapeOf: Operator = (_tf, [x], attributes) => {
  const bounds = 'start' in attributes ? [int(attributes, 'start'), int(attributes, 'end')] : []
  return [tensor(x).shape.slice(...bounds)]
}

/** Numbers of ONNX's `TensorProto.DataType`. */
const CAST_TO: Readonly<Record<number, 'float32' | 'int32' | 'bool'>> = { 1: 'float32', 6: 'int32', 9: 'bool' }

/**
 * On WebGPU a cast to float32 gives the bytes another name and leaves them as they are. What computes reads them by the
 * type that they were written as; what copies them (a transpose, a concatenation) does not compile. Arithmetic makes
 * them floats.
 */
function converted(tf: Tf, x: Tensor, dtype: 'float32' | 'int32' | 'bool'): Tensor {
  const named = tf.cast(x, dtype)
  const isRelabelled = tf.getBackend() === 'webgpu' && dtype === 'float32' && x.dtype !== 'float32'
  return isRelabelled ? tf.mul(named, 1) : named
}

const cast: Operator = (tf, [x], attributes) => {
  const dtype = CAST_TO[int(attributes, 'to')]
  if (dtype) return [converted(tf, tensor(x), dtype)]
  throw new FedsvdError('GRAPH_INVALID', {
    expected: 'a cast to float32, int32 or bool',
    got: `data type ${int(attributes, 'to')}`,
    remedy: 'Run this graph on onnxruntime.',
  })
}

/** One entry per operator. */
export const OPERATORS: Readonly<Record<OperatorName, Operator>> = {
  Add: binary((tf, a, b) => tf.add(a, b)),
  ArgMax: unary((tf, x) => tf.argMax(x, -1)),
  Cast: cast,
  Concat: (tf, parts, attributes) => [tf.concat(parts.map(tensor), int(attributes, 'axis'))],
  Div: binary((tf, a, b) => tf.div(a, b)),
  Equal: binary((tf, a, b) => tf.equal(a, b)),
  Erf: unary((tf, x) => tf.erf(x)),
  Exp: unary((tf, x) => tf.exp(x)),
  Expand: (tf, [x, target]) => [expand(tf, tensor(x), sizes(target))],
  Gather: gather,
  Gelu: unary((tf, x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))),
  Gemm: gemm,
  Greater: binary((tf, a, b) => tf.greater(a, b)),
  GreaterOrEqual: binary((tf, a, b) => tf.greaterEqual(a, b)),
  Identity: unary((tf, x) => tf.clone(x)),
  LayerNormalization: layerNorm,
  LogSoftmax: unary((tf, x) => tf.logSoftmax(x)),
  MatMul: binary(matmul),
  Max: binary((tf, a, b) => tf.maximum(a, b)),
  Min: binary((tf, a, b) => tf.minimum(a, b)),
  Mul: binary((tf, a, b) => tf.mul(a, b)),
  Neg: unary((tf, x) => tf.neg(x)),
  ReduceLogSumExp: reduction((tf, x, axes, keepDims) => tf.logSumExp(x, axes, keepDims)),
  ReduceMean: reduction((tf, x, axes, keepDims) => tf.mean(x, axes, keepDims)),
  ReduceSum: reduction((tf, x, axes, keepDims) => tf.sum(x, axes, keepDims)),
  ReduceSumSquare: reduction((tf, x, axes, keepDims) => tf.sum(tf.square(x), axes, keepDims)),
  Relu: unary((tf, x) => tf.relu(x)),
  Reshape: reshape,
  Round: unary((tf, x) => tf.round(x)),
  Shape: shapeOf,
  Sigmoid: unary((tf, x) => tf.sigmoid(x)),
  Slice: slice,
  Softmax: unary((tf, x) => tf.softmax(x)),
  Split: (tf, [x, parts], attributes) => tf.split(tensor(x), sizes(parts), int(attributes, 'axis')),
  Sqrt: unary((tf, x) => tf.sqrt(x)),
  Sub: binary((tf, a, b) => tf.sub(a, b)),
  Tanh: unary((tf, x) => tf.tanh(x)),
  Transpose: (tf, [x], attributes) => [
    tf.transpose(tensor(x), [...(attributes.perm as { ints: readonly number[] }).ints]),
  ],
}

function tensor(value: Held | undefined): Tensor {
  if (value && !isSizes(value)) return value
  throw misplaced('a tensor', 'a list of sizes')
}

function sizes(value: Held | undefined): Sizes {
  if (value && isSizes(value)) return value
  throw misplaced('a list of sizes', 'a tensor')
}

/** True for a value that lives on the host. */
export function isSizes(value: Held): value is Sizes {
  return Array.isArray(value)
}

function misplaced(expected: string, got: string): FedsvdError {
  return new FedsvdError('GRAPH_INVALID', { expected, got, remedy: 'Keep int64 to shapes and axes.' })
}

function int(attributes: Attributes, name: string): number {
  return (attributes[name] as { int: number }).int
}
