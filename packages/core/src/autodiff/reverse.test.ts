import { gradientError, gradientGraph, type LossBuilder, waveTensor } from '@fedsvd/testing/core/autodiff'
import { describe, expect, it } from 'vitest'
import { FedsvdError } from '../errors.ts'
import { GraphBuilder } from './builder.ts'
import { ops } from './index.ts'
import { perRecordGradients } from './reverse.ts'
import { BATCH, SEQUENCE, type Value } from './value.ts'

const RECORDS = 3
const LENGTH = 4
/** A power of two, so that 1 / WIDTH is exact as the float32 constant that the rules put into the graph. */
const WIDTH = 8
/** Truncation of a central difference with step 1e-5 is about 1e-10; its rounding about 1e-11. */
const TOLERANCE = 1e-7

const inputs = {
  x: { shape: [BATCH, SEQUENCE, WIDTH], value: waveTensor(1, [RECORDS, LENGTH, WIDTH]) },
  w: { shape: [WIDTH, WIDTH], value: waveTensor(2, [WIDTH, WIDTH], 0.7) },
  bias: { shape: [WIDTH], value: waveTensor(3, [WIDTH]) },
  a: { shape: [2, WIDTH], value: waveTensor(4, [2, WIDTH]) },
  b: { shape: [WIDTH, 2], value: waveTensor(5, [WIDTH, 2]) },
}

type Inputs = Readonly<Record<keyof typeof inputs, Value>>

/** Sum of squares of everything in a record: a loss through which every element of `y` counts differently. */
const squares = (g: GraphBuilder, y: Value): Value => {
  const axes = y.shape.map((_, axis) => axis).slice(1)
  return ops.reduceSum(g, ops.mul(g, y, y), axes, false)
}

/** A loss in which the trained matrix w sits below the operator under test. */
const above =
  (f: (g: GraphBuilder, y: Value, x: Value) => Value): LossBuilder =>
  (g, { x, w }) =>
    squares(g, f(g, ops.matmul(g, x!, w!), x!))

const gain = waveTensor(7, [WIDTH], 0.5)
const float = (name: string, { shape, data }: { shape: readonly number[]; data: Float64Array }) => ({
  name,
  shape,
  data: Float32Array.from(data),
})

const operators: Record<string, Parameters<typeof above>[0]> = {
  Add: (g, y, x) => ops.add(g, y, x),
  'Sub, left': (g, y, x) => ops.sub(g, y, x),
  'Sub, right': (g, y, x) => ops.sub(g, x, y),
  'Mul, twice the same': (g, y) => ops.mul(g, y, y),
  'Mul, broadcast over the sequence': (g, y) => ops.mul(g, y, ops.reduceSum(g, y, [1], true)),
  'Div, above': (g, y, x) => ops.div(g, y, ops.add(g, ops.mul(g, x, x), g.scalar(1))),
  'Div, below': (g, y, x) => ops.div(g, x, ops.add(g, ops.mul(g, y, y), g.scalar(1))),
  Max: (g, y) => ops.max(g, y, g.scalar(0.2)),
  Neg: (g, y) => ops.neg(g, y),
  Exp: (g, y) => ops.exp(g, y),
  Sqrt: (g, y) => ops.sqrt(g, ops.add(g, ops.mul(g, y, y), g.scalar(0.5))),
  Tanh: (g, y) => ops.tanh(g, y),
  Erf: (g, y) => ops.erf(g, y),
  Gelu: (g, y) => ops.gelu(g, ops.scale(g, y, 2)),
  Relu: (g, y) => ops.relu(g, y),
  Sigmoid: (g, y) => ops.sigmoid(g, y),
  Softmax: (g, y) => ops.softmax(g, y),
  LogSoftmax: (g, y) => ops.logSoftmax(g, y),
  ReduceLogSumExp: (g, y) => ops.reduceLogSumExp(g, ops.scale(g, y, 5), [-1], false),
  'ReduceLogSumExp over all but the records': (g, y, x) => ops.mul(g, x, ops.reduceLogSumExp(g, y, [1, 2], true)),
  ReduceSum: (g, y) => ops.reduceSum(g, y, [-1], false),
  ReduceMean: (g, y, x) => ops.mul(g, x, ops.reduceMean(g, y, [-1], true)),
  LayerNormalization: (g, y) =>
    ops.layerNorm(g, y, g.weight(float('gain', gain)), g.weight(float('shift', waveTensor(8, [WIDTH]))), 1e-3),
  Reshape: (g, y) => ops.softmax(g, ops.reshape(g, y, [BATCH, SEQUENCE, 2, 4])),
  Transpose: (g, y) => ops.softmax(g, ops.transpose(g, y, [0, 2, 1])),
  'Split, one part unused': (g, y) => ops.tanh(g, ops.split(g, y, -1, [2, 6])[1]!),
  Concat: (g, y, x) => ops.softmax(g, ops.concat(g, [x, y], -1)),
  'MatMul of two per-record values': (g, y, x) => ops.matmul(g, ops.matmul(g, y, ops.transposeMatrix(g, x)), y),
}

describe('gradients per record against central differences', () => {
  it.each(Object.entries(operators))('%s', (_, f) => {
    expect(gradientError(inputs, ['w'], above(f))).toBeLessThan(TOLERANCE)
  })

  it('a bias, whose gradient is summed over the sequence and not over the records', () => {
    const loss: LossBuilder = (g, { x, bias }) => squares(g, ops.tanh(g, ops.add(g, x!, bias!)))
    expect(gradientError(inputs, ['bias'], loss)).toBeLessThan(TOLERANCE)
  })

  it('a head on one vector per record, stored transposed', () => {
    const loss: LossBuilder = (g, { x, w, bias }) => {
      const pooled = ops.reduceSum(g, x!, [1], false)
      return squares(g, ops.logSoftmax(g, ops.add(g, ops.matmul(g, pooled, ops.transposeMatrix(g, w!)), bias!)))
    }
    expect(gradientError(inputs, ['w', 'bias'], loss)).toBeLessThan(TOLERANCE)
  })

  it.each([
    ['A^T B^T', true, true],
    ['A^T B', true, false],
    ['A B^T', false, true],
    ['A B', false, false],
  ])('both factors of a merged weight W0 + alpha * %s', (_, transA, transB) => {
    const loss: LossBuilder = (g, { x, a, b, w }) => {
      const p = transA ? a! : ops.transposeMatrix(g, a!)
      const q = transB ? b! : ops.transposeMatrix(g, b!)
      const merged = ops.gemm(g, p, q, w!, { alpha: 0.3, transA, transB })
      return squares(g, ops.tanh(g, ops.matmul(g, x!, merged)))
    }
    expect(gradientError(inputs, ['a', 'b', 'w'], loss)).toBeLessThan(TOLERANCE)
  })

  it('a tensor that is used in two places gets the sum', () => {
    const loss: LossBuilder = (g, { x, w }) => {
      const once = ops.tanh(g, ops.matmul(g, x!, w!))
      return squares(g, ops.matmul(g, once, w!))
    }
    expect(gradientError(inputs, ['w'], loss)).toBeLessThan(TOLERANCE)
  })
})

describe('what is not differentiated', () => {
  it('frozen weights and everything below the lowest trained tensor: Round has no rule and is not asked', () => {
    const loss: LossBuilder = (g, { x, w, bias }) => squares(g, ops.add(g, ops.round(g, ops.matmul(g, x!, w!)), bias!))
    const { graph } = gradientGraph(inputs, ['bias'], loss)
    expect(graph.operations.filter(({ op }) => op === 'MatMul')).toHaveLength(1)
    expect(gradientError(inputs, ['bias'], loss)).toBeLessThan(TOLERANCE)
  })

  it('a merged weight: no tensor [N, dIn, dOut] is made for the factors', () => {
    const { graph } = gradientGraph(inputs, ['b'], (g, { x, a, b, w }) =>
      squares(g, ops.matmul(g, x!, ops.gemm(g, a!, b!, w!, { transA: true, transB: true }))),
    )
    const shapes = graph.operations.flatMap(({ outputs }) => outputs.map(({ shape }) => shape.join()))
    expect(shapes).not.toContain(`${BATCH},${WIDTH},${WIDTH}`)
    expect(shapes).toContain(`${BATCH},2,${WIDTH}`)
  })
})

describe('models that have no gradient per record', () => {
  const build = (loss: (g: GraphBuilder, inputs: Inputs) => Value, trained: readonly (keyof Inputs)[]) => () => {
    const g = new GraphBuilder()
    const values = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape }]) => [name, g.input(name, 'float32', shape)]),
    ) as Inputs
    perRecordGradients(
      g,
      loss(g, values),
      trained.map((name) => values[name]),
    )
  }

  it.each([
    ['a loss that is not one number per record', build((_, { x }) => x, ['w']), /losses of shape \[N\]/],
    ['a trained tensor without influence', build((g, { x }) => squares(g, x), ['bias']), /"bias", which does not/],
    [
      'an operator without a rule',
      build((g, { x, w }) => squares(g, ops.round(g, ops.matmul(g, x, w))), ['w']),
      /got Round/,
    ],
    [
      'a shared weight that is transformed in a way that is not linear',
      build((g, { x, w }) => squares(g, ops.matmul(g, x, ops.tanh(g, w))), ['w']),
      /Tanh used 1 times/,
    ],
  ])('%s is refused', (_, run, message) => {
    expect(run).toThrow(FedsvdError)
    expect(run).toThrow(message)
  })
})
