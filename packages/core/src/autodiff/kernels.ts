import { broadcastReader, commonShape, type DenseTensor, elements, strides, tabulate } from './dense.ts'
import type { Attribute, OperatorName } from './value.ts'

type Attributes = Readonly<Record<string, Attribute>>
type Kernel = (inputs: readonly DenseTensor[], attributes: Attributes) => readonly DenseTensor[]

/*
 * Every operator of the graph in the plainest way, in float64. These definitions follow the ONNX specification and
 * share no code with any runtime: they are what a runtime's results and the derivative rules are checked against.
 */

const unary =
  (f: (x: number) => number): Kernel =>
  ([x]) => [{ shape: x!.shape, data: x!.data.map(f) }]

const binary =
  (f: (a: number, b: number) => number): Kernel =>
  ([a, b]) => {
    const [readA, readB] = [broadcastReader(a!), broadcastReader(b!)]
    return [tabulate(commonShape(a!.shape, b!.shape), (index) => f(readA(index), readB(index)))]
  }

const reduction =
  (start: number, step: (sum: number, x: number) => number, finish: (sum: number, count: number) => number): Kernel =>
  ([x, axes], attributes) => {
    const reduced = [...axes!.data]
    const kept = x!.shape.map((size, axis) => (reduced.includes(axis) ? 1 : size))
    const sums = new Float64Array(elements(kept)).fill(start)
    const steps = strides(kept).map((stride, axis) => (kept[axis] === 1 ? 0 : stride))
    tabulate(x!.shape, (index, flat) => {
      const target = index.reduce((sum, position, axis) => sum + position * steps[axis]!, 0)
      sums[target] = step(sums[target]!, x!.data[flat]!)
      return 0
    })
    const count = x!.data.length / Math.max(sums.length, 1)
    const shape = intOf(attributes, 'keepdims') === 1 ? kept : kept.filter((_, axis) => !reduced.includes(axis))
    return [{ shape, data: sums.map((sum) => finish(sum, count)) }]
  }

/** A function of whole rows along the last axis. */
const rowwise =
  (f: (row: Float64Array) => Float64Array): Kernel =>
  ([x]) => {
    const width = x!.shape.at(-1)!
    const data = new Float64Array(x!.data.length)
    for (let start = 0; start < data.length; start += width) data.set(f(x!.data.subarray(start, start + width)), start)
    return [{ shape: x!.shape, data }]
  }

const softmaxRow = (row: Float64Array): Float64Array => {
  const peak = Math.max(...row)
  const weights = row.map((x) => Math.exp(x - peak))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

const logSoftmaxRow = (row: Float64Array): Float64Array => {
  const peak = Math.max(...row)
  const total = row.reduce((sum, x) => sum + Math.exp(x - peak), 0)
  return row.map((x) => x - peak - Math.log(total))
}

function matmul(a: DenseTensor, b: DenseTensor): DenseTensor {
  const [rows, inner] = a.shape.slice(-2) as [number, number]
  const columns = b.shape.at(-1)!
  const leading = commonShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const [readA, readB] = [broadcastReader(a), broadcastReader(b)]
  return tabulate([...leading, rows, columns], (index) => {
    const [row, column] = index.slice(-2) as [number, number]
    const prefix = index.slice(0, -2)
    const [left, right] = [
      [...prefix, row, 0],
      [...prefix, 0, column],
    ]
    let sum = 0
    for (let k = 0; k < inner; k++) {
      left[left.length - 1] = k
      right[right.length - 2] = k
      sum += readA(left) * readB(right)
    }
    return sum
  })
}

function transpose(x: DenseTensor, permutation: readonly number[]): DenseTensor {
  const steps = strides(x.shape)
  const shape = permutation.map((axis) => x.shape[axis]!)
  return tabulate(shape, (index) => {
    const flat = permutation.reduce((sum, axis, position) => sum + index[position]! * steps[axis]!, 0)
    return x.data[flat]!
  })
}

const gemm: Kernel = ([a, b, c], attributes) => {
  const left = intOf(attributes, 'transA') === 1 ? transpose(a!, [1, 0]) : a!
  const right = intOf(attributes, 'transB') === 1 ? transpose(b!, [1, 0]) : b!
  const { float: alpha } = attributes.alpha as { float: number }
  const product = matmul(left, right)
  const readC = broadcastReader(c!)
  return [tabulate(product.shape, (index, flat) => alpha * product.data[flat]! + readC(index))]
}

const layerNorm: Kernel = ([x, gain, bias], attributes) => {
  const { float: epsilon } = attributes.epsilon as { float: number }
  const width = x!.shape.at(-1)!
  const statistics = [...x!.shape.slice(0, -1), 1]
  const rows = tabulate(statistics, (_, row) => {
    const values = x!.data.subarray(row * width, (row + 1) * width)
    return values.reduce((sum, value) => sum + value, 0) / width
  })
  const inverse = tabulate(statistics, (_, row) => {
    const values = x!.data.subarray(row * width, (row + 1) * width)
    const variance = values.reduce((sum, value) => sum + (value - rows.data[row]!) ** 2, 0) / width
    return 1 / Math.sqrt(variance + epsilon)
  })
  const normalised = x!.data.map((value, flat) => {
    const row = Math.floor(flat / width)
    return (value - rows.data[row]!) * inverse.data[row]! * gain!.data[flat % width]! + bias!.data[flat % width]!
  })
  return [{ shape: x!.shape, data: normalised }, rows, inverse]
}

function slice(x: DenseTensor, axis: number, start: number, end: number): DenseTensor {
  const shape = x.shape.with(axis, end - start)
  const steps = strides(x.shape)
  return tabulate(shape, (index) => {
    const flat = index.reduce((sum, position, at) => sum + (at === axis ? position + start : position) * steps[at]!, 0)
    return x.data[flat]!
  })
}

const split: Kernel = ([x, sizes], attributes) => {
  const axis = intOf(attributes, 'axis')
  let start = 0
  return [...sizes!.data].map((size) => {
    start += size
    return slice(x!, axis, start - size, start)
  })
}

const concat: Kernel = (parts, attributes) => {
  const axis = intOf(attributes, 'axis')
  const owners = parts.flatMap((part, owner) =>
    Array.from({ length: part.shape[axis]! }, (_, position) => [owner, position] as const),
  )
  const readers = parts.map((part) => broadcastReader(part))
  const shape = parts[0]!.shape.with(axis, owners.length)
  return [
    tabulate(shape, (index) => {
      const [owner, position] = owners[index[axis]!]!
      return readers[owner]!(index.with(axis, position))
    }),
  ]
}

const reshape: Kernel = ([x, target]) => {
  const copied = [...target!.data].map((size, axis) => (size === 0 ? x!.shape[axis]! : size))
  const known = copied.filter((size) => size !== -1).reduce((product, size) => product * size, 1)
  return [{ shape: copied.map((size) => (size === -1 ? x!.data.length / known : size)), data: x!.data }]
}

const gather: Kernel = ([table, ids]) => {
  const width = elements(table!.shape.slice(1))
  const rows = table!.shape[0]!
  const data = new Float64Array(ids!.data.length * width)
  ids!.data.forEach((id, row) => {
    const from = (id < 0 ? id + rows : id) * width
    data.set(table!.data.subarray(from, from + width), row * width)
  })
  return [{ shape: [...ids!.shape, ...table!.shape.slice(1)], data }]
}

const expand: Kernel = ([x, target]) => {
  const read = broadcastReader(x!)
  return [tabulate(commonShape(x!.shape, [...target!.data]), (index) => read(index))]
}

const shapeOf: Kernel = ([x], attributes) => {
  const bounds = 'start' in attributes ? [intOf(attributes, 'start'), intOf(attributes, 'end')] : []
  const sizes = x!.shape.slice(...bounds)
  return [{ shape: [sizes.length], data: Float64Array.from(sizes) }]
}

/** Along the last axis, without the axis; the first of equals. */
const argMax: Kernel = ([x]) => {
  const width = x!.shape.at(-1)!
  const shape = x!.shape.slice(0, -1)
  return [
    tabulate(shape, (_, row) => {
      const values = x!.data.subarray(row * width, (row + 1) * width)
      return values.indexOf(Math.max(...values))
    }),
  ]
}

/** One term at a time, relative to the larger of the sum so far and the term, so that nothing overflows. */
const logSumExp = reduction(
  Number.NEGATIVE_INFINITY,
  (sum, x) => Math.max(sum, x) + Math.log1p(Math.exp(-Math.abs(sum - x))),
  (sum) => sum,
)

/** To the nearest integer, halves to even. */
const roundHalfToEven = (x: number): number => {
  const floor = Math.floor(x)
  if (x - floor !== 0.5) return Math.round(x)
  return floor % 2 === 0 ? floor : floor + 1
}

/** |erf(x)| is 1 to the last bit of a double from here on. */
const ERF_SATURATES = 6

/**
 * The error function to about 1e-15: 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (1 * 3 * ... * (2n+1)), whose
 * terms all have one sign (Abramowitz and Stegun 7.1.6).
 */
const erf = (x: number): number => {
  if (!(Math.abs(x) < ERF_SATURATES)) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > (Number.EPSILON * Math.abs(sum)) / 4; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** One kernel per operator. Min and Max pass NaN on, as ONNX asks. */
export const KERNELS: Readonly<Record<OperatorName, Kernel>> = {
  Add: binary((a, b) => a + b),
  ArgMax: argMax,
  Cast: unary((x) => x),
  Concat: concat,
  Div: binary((a, b) => a / b),
  Equal: binary((a, b) => Number(a === b)),
  Erf: unary(erf),
  Exp: unary(Math.exp),
  Expand: expand,
  Gather: gather,
  Gelu: unary((x) => (x / 2) * (1 + erf(x * Math.SQRT1_2))),
  Gemm: gemm,
  Greater: binary((a, b) => Number(a > b)),
  GreaterOrEqual: binary((a, b) => Number(a >= b)),
  Identity: unary((x) => x),
  LayerNormalization: layerNorm,
  LogSoftmax: rowwise(logSoftmaxRow),
  MatMul: ([a, b]) => [matmul(a!, b!)],
  Max: binary(Math.max),
  Min: binary(Math.min),
  Mul: binary((a, b) => a * b),
  Neg: unary((x) => -x),
  ReduceLogSumExp: logSumExp,
  ReduceMean: reduction(
    0,
    (sum, x) => sum + x,
    (sum, count) => sum / count,
  ),
  ReduceSum: reduction(
    0,
    (sum, x) => sum + x,
    (sum) => sum,
  ),
  ReduceSumSquare: reduction(
    0,
    (sum, x) => sum + x * x,
    (sum) => sum,
  ),
  Relu: unary((x) => Math.max(x, 0)),
  Reshape: reshape,
  Round: unary(roundHalfToEven),
  Shape: shapeOf,
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Slice: ([x, starts, ends, axes]) => [slice(x!, axes!.data[0]!, starts!.data[0]!, ends!.data[0]!)],
  Softmax: rowwise(softmaxRow),
  Split: split,
  Sqrt: unary(Math.sqrt),
  Sub: binary((a, b) => a - b),
  Tanh: unary(Math.tanh),
  Transpose: ([x], attributes) => [transpose(x!, (attributes.perm as { ints: readonly number[] }).ints)],
}

function intOf(attributes: Attributes, name: string): number {
  return (attributes[name] as { int: number }).int
}
