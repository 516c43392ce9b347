import { FedsvdError } from '@fedsvd/core/errors'
import { BATCH, GraphBuilder, interpret, ops, SEQUENCE, type Value } from '@fedsvd/core/graph'
import { waveTensor } from '@fedsvd/core/graph/testing'
import { describe, expect, it } from 'vitest'
import { createOnnxRunner } from './onnx-runner.ts'

const [RECORDS, LENGTH, WIDTH] = [3, 5, 8]

const values = {
  x: waveTensor(1, [RECORDS, LENGTH, WIDTH]),
  y: waveTensor(2, [RECORDS, LENGTH, WIDTH]),
  row: waveTensor(3, [WIDTH]),
  a: waveTensor(4, [WIDTH, 2]),
  b: waveTensor(5, [WIDTH, 2]),
  square: waveTensor(6, [WIDTH, WIDTH]),
}

type Inputs = Readonly<Record<keyof typeof values, Value>>

const operators: Record<string, (g: GraphBuilder, inputs: Inputs) => Value> = {
  Add: (g, { x, row }) => ops.add(g, x, row),
  ArgMax: (g, { x }) => ops.toFloat(g, ops.argMax(g, x)),
  Cast: (g, { x, y }) => ops.toFloat(g, ops.greater(g, x, y)),
  Concat: (g, { x, y }) => ops.concat(g, [x, y], -1),
  Div: (g, { x, y }) => ops.div(g, x, ops.add(g, ops.mul(g, y, y), g.scalar(1))),
  Equal: (g, { x }) => ops.toFloat(g, ops.equal(g, x, ops.max(g, x, g.scalar(0)))),
  Erf: (g, { x }) => ops.erf(g, ops.scale(g, x, 4)),
  Exp: (g, { x }) => ops.exp(g, x),
  Expand: (g, { x, row }) => ops.expandLike(g, row, x),
  Gemm: (g, { a, b, square }) => ops.gemm(g, a, b, square, { alpha: 0.3, transB: true }),
  'Gemm of a transposed matrix': (g, { a, b, square }) =>
    ops.gemm(g, ops.transposeMatrix(g, a), ops.transposeMatrix(g, b), square, { alpha: 0.3, transA: true }),
  LayerNormalization: (g, { x, row }) => ops.layerNorm(g, x, row, row, 1e-6),
  LogSoftmax: (g, { x }) => ops.logSoftmax(g, x),
  MatMul: (g, { x, square }) => ops.matmul(g, x, square),
  'MatMul of batches': (g, { x, y }) => ops.matmul(g, ops.transposeMatrix(g, x), y),
  Min: (g, { x, y }) => ops.min(g, x, y),
  Neg: (g, { x }) => ops.neg(g, x),
  ReduceLogSumExp: (g, { x }) => ops.reduceLogSumExp(g, ops.scale(g, x, 200), [-1], true),
  ReduceMean: (g, { x }) => ops.reduceMean(g, x, [1], true),
  ReduceSum: (g, { x }) => ops.reduceSum(g, x, [0], false),
  ReduceSumSquare: (g, { x }) => ops.reduceSumSquare(g, x, [1, 2], false),
  Relu: (g, { x }) => ops.relu(g, x),
  Reshape: (g, { x }) => ops.reshape(g, x, [BATCH, SEQUENCE, 2, WIDTH / 2]),
  Round: (g, { x }) => ops.round(g, ops.scale(g, x, 10)),
  Sigmoid: (g, { x }) => ops.sigmoid(g, x),
  'Slice by Shape': (g, { x, square }) => ops.firstRows(g, square, x, 1),
  Softmax: (g, { x }) => ops.softmax(g, x),
  Split: (g, { x }) => ops.split(g, x, -1, [2, WIDTH - 2])[1]!,
  Sqrt: (g, { x }) => ops.sqrt(g, ops.mul(g, x, x)),
  Sub: (g, { x, y }) => ops.sub(g, x, y),
  Tanh: (g, { x }) => ops.tanh(g, x),
  Transpose: (g, { x }) => ops.transpose(g, x, [0, 2, 1]),
}

/** Builds one graph over the inputs above, and runs it by onnxruntime and by the interpreter. */
async function both(build: (g: GraphBuilder, inputs: Inputs) => Value) {
  const g = new GraphBuilder()
  const shapes = { x: [BATCH, SEQUENCE, WIDTH], y: [BATCH, SEQUENCE, WIDTH] }
  const inputs = Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => [
      name,
      g.input(name, 'float32', name in shapes ? shapes[name as keyof typeof shapes] : shape),
    ]),
  ) as Inputs
  const graph = g.build({ result: build(g, inputs) })
  await using runner = await createOnnxRunner(graph, { name: 'test', threads: 1 })
  const float32 = Object.entries(values).map(([name, { shape, data }]) => [
    name,
    { shape, data: Float32Array.from(data) },
  ])
  return {
    actual: (await runner.run(Object.fromEntries(float32))).result!,
    expected: interpret(graph, values).result!,
  }
}

describe('onnxruntime agrees with the interpreter', () => {
  it.each(Object.entries(operators))('%s', async (_, build) => {
    const { actual, expected } = await both(build)
    expect(actual.shape).toEqual(expected.shape)
    expected.data.forEach((value, index) => {
      expect(Math.abs(actual.data[index]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)))
    })
  })

  it('takes any number of records and any length in one session', async () => {
    const g = new GraphBuilder()
    const sums = ops.reduceSum(g, g.input('x', 'float32', [BATCH, SEQUENCE]), [1], false)
    await using runner = await createOnnxRunner(g.build({ sums }), { name: 'test', threads: 1 })
    for (const shape of [
      [1, 1],
      [4, 2],
      [2, 7],
    ] as const) {
      const { sums: result } = await runner.run({ x: { shape, data: new Float32Array(shape[0] * shape[1]).fill(1) } })
      expect([...result!.data]).toEqual(Array.from({ length: shape[0] }, () => shape[1]))
    }
  })

  it('returns a value that another operation also uses', async () => {
    const g = new GraphBuilder()
    const x = g.input('x', 'float32', [BATCH, 2])
    const features = ops.div(g, x, g.scalar(2))
    const logits = ops.matmul(g, features, ops.transposeMatrix(g, g.input('w', 'float32', [3, 2])))
    await using runner = await createOnnxRunner(g.build({ features, logits }), { name: 'test', threads: 1 })
    const inputs = {
      x: { shape: [1, 2], data: Float32Array.of(2, 4) },
      w: { shape: [3, 2], data: Float32Array.of(1, 0, 0, 1, 1, 1) },
    }
    const results = await runner.run(inputs)
    expect([...results.features!.data]).toEqual([1, 2])
    expect([...results.logits!.data]).toEqual([1, 2, 3])
  })

  it('names an input that is missing', async () => {
    const g = new GraphBuilder()
    const graph = g.build({ y: ops.neg(g, g.input('x', 'float32', [BATCH])) })
    await using runner = await createOnnxRunner(graph, { name: 'test', threads: 1 })
    await expect(runner.run({})).rejects.toThrow(FedsvdError)
    await expect(runner.run({})).rejects.toThrow(/the input "x"/)
  })
})
