import { BATCH, type Graph, GraphBuilder, interpret, ops, SEQUENCE, type Value } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'
import type { GraphRunner, RunnerFactory, RunTensor } from '@fedsvd/engine/runtime'
import { describe, expect, it } from 'vitest'
import { waveTensor } from '../../core/autodiff/index.ts'

const [RECORDS, LENGTH, WIDTH] = [3, 5, 8]

const values = {
  x: waveTensor(1, [RECORDS, LENGTH, WIDTH]),
  y: waveTensor(2, [RECORDS, LENGTH, WIDTH]),
  row: waveTensor(3, [WIDTH]),
  a: waveTensor(4, [WIDTH, 2]),
  b: waveTensor(5, [WIDTH, 2]),
  square: waveTensor(6, [WIDTH, WIDTH]),
  ids: { shape: [RECORDS, LENGTH], data: Float64Array.from({ length: RECORDS * LENGTH }, (_, n) => (n % 9) - 1) },
}

type Inputs = Readonly<Record<keyof typeof values, Value>>

const operators: Record<string, (g: GraphBuilder, inputs: Inputs) => Value> = {
  Add: (g, { x, row }) => ops.add(g, x, row),
  ArgMax: (g, { x }) => ops.toFloat(g, ops.argMax(g, x)),
  Cast: (g, { x, y }) => ops.toFloat(g, ops.greater(g, x, y)),
  'Cast of int32': (g, { ids }) => ops.toFloat(g, ids),
  Concat: (g, { x, y }) => ops.concat(g, [x, y], -1),
  Div: (g, { x, y }) => ops.div(g, x, ops.add(g, ops.mul(g, y, y), g.scalar(1))),
  Equal: (g, { x }) => ops.toFloat(g, ops.equal(g, x, ops.max(g, x, g.scalar(0)))),
  'Equal of int32': (g, { ids }) => {
    const range = g.indices([-1, 0, 3])
    return ops.toFloat(g, ops.equal(g, ops.reshape(g, ids, [BATCH, SEQUENCE, 1]), range))
  },
  Erf: (g, { x }) => ops.erf(g, ops.scale(g, x, 4)),
  Exp: (g, { x }) => ops.exp(g, x),
  Expand: (g, { x, row }) => ops.expandLike(g, row, x),
  'Gather, where -1 is the last row': (g, { square, ids }) => ops.gatherRows(g, square, ids),
  Gelu: (g, { x }) => ops.gelu(g, ops.scale(g, x, 4)),
  Gemm: (g, { a, b, square }) => ops.gemm(g, a, b, square, { alpha: 0.3, transB: true }),
  'Gemm of a transposed matrix': (g, { a, b, square }) =>
    ops.gemm(g, ops.transposeMatrix(g, a), ops.transposeMatrix(g, b), square, { alpha: 0.3, transA: true }),
  GreaterOrEqual: (g, { ids }) => ops.toFloat(g, ops.greaterOrEqual(g, ids, ops.reshape(g, g.indices([0]), []))),
  'Cast of a bool, moved': (g, { x, y }) => moved(g, ops.toFloat(g, ops.greater(g, x, y))),
  'Cast of an int32, moved': (g, { ids }) => ops.transpose(g, ops.toFloat(g, ids), [1, 0]),
  LayerNormalization: (g, { x, row }) => ops.layerNorm(g, x, row, row, 1e-6),
  'statistics of LayerNormalization': (g, { x, row }) => {
    ops.layerNorm(g, x, row, row, 1e-6)
    const [, mean, invStdDev] = g.operations.at(-1)!.outputs
    return ops.div(g, mean!, invStdDev!)
  },
  LogSoftmax: (g, { x }) => ops.logSoftmax(g, x),
  'LogSoftmax of large values': (g, { x }) => ops.logSoftmax(g, ops.scale(g, x, 1000)),
  MatMul: (g, { x, square }) => ops.matmul(g, x, square),
  'MatMul of batches': (g, { x, y }) => ops.matmul(g, ops.transposeMatrix(g, x), y),
  'MatMul of batches and heads': (g, { x, y }) => {
    const heads = (part: Value) => ops.transpose(g, ops.reshape(g, part, [BATCH, SEQUENCE, 2, WIDTH / 2]), [0, 2, 1, 3])
    return ops.matmul(g, heads(x), ops.transposeMatrix(g, heads(y)))
  },
  'a linear layer: MatMul and Add': (g, { x, square, row }) => ops.add(g, ops.matmul(g, x, square), row),
  'a linear layer of a transposed matrix': (g, { x, square, row }) =>
    ops.add(g, ops.matmul(g, x, ops.transposeMatrix(g, square)), row),
  'a product that a linear layer and another operation use': (g, { x, square, row }) => {
    const product = ops.matmul(g, x, ops.transposeMatrix(g, square))
    return ops.mul(g, product, ops.add(g, product, row))
  },
  'MatMul of a matrix that all records share by one of each': (g, { x, square }) =>
    ops.matmul(g, ops.reshape(g, square, [1, WIDTH, WIDTH]), ops.transposeMatrix(g, x)),
  Max: (g, { x, y }) => ops.max(g, x, y),
  Min: (g, { x, y }) => ops.min(g, x, y),
  Mul: (g, { x, row }) => ops.mul(g, x, row),
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

/** Through operations that copy values and compute nothing: a cast must have made other bytes by then. */
function moved(g: GraphBuilder, x: Value): Value {
  const [first, rest] = ops.split(g, ops.transpose(g, x, [0, 2, 1]), 1, [2, WIDTH - 2])
  return ops.concat(g, [rest!, first!], 1)
}

/** Builds one graph over the inputs above, and runs it by the runtime and by the interpreter. */
async function both(createRunner: RunnerFactory, build: (g: GraphBuilder, inputs: Inputs) => Value) {
  const g = new GraphBuilder()
  const shapes = {
    x: [BATCH, SEQUENCE, WIDTH],
    y: [BATCH, SEQUENCE, WIDTH],
    ids: [BATCH, SEQUENCE],
  } as const
  const inputs = Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => [
      name,
      g.input(name, name === 'ids' ? 'int32' : 'float32', shapes[name as keyof typeof shapes] ?? shape),
    ]),
  ) as Inputs
  const graph = g.build({ result: build(g, inputs) })
  await using runner = await createRunner(graph, 'test')
  const feeds = Object.entries(values).map(([name, { shape, data }]): [string, RunTensor] => [
    name,
    { shape, data: name === 'ids' ? Int32Array.from(data) : Float32Array.from(data) },
  ])
  return {
    actual: (await runner.run(Object.fromEntries(feeds))).result!,
    expected: interpret(graph, values).result!,
  }
}

/**
 * What every {@link GraphRunner} owes, whatever it runs on. The interpreter, which shares no code with any, is the
 * judge.
 */
export function runnerContract(runtime: string, createRunner: RunnerFactory): void {
  /** The result of one elementwise function of a row of numbers. */
  const rowOf = async (inputs: readonly number[], build: (g: GraphBuilder, x: Value) => Value): Promise<number[]> => {
    const g = new GraphBuilder()
    await using runner = await createRunner(g.build({ y: build(g, g.input('x', 'float32', [BATCH])) }), 'test')
    const { y } = await runner.run({ x: { shape: [inputs.length], data: Float32Array.from(inputs) } })
    return [...y!.data]
  }

  describe(`${runtime} agrees with the interpreter`, () => {
    it.each(Object.entries(operators))('%s', async (_, build) => {
      const { actual, expected } = await both(createRunner, build)
      expect(actual.shape).toEqual(expected.shape)
      expected.data.forEach((value, index) => {
        expect(Math.abs(actual.data[index]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)))
      })
    })
  })

  describe(`${runtime}, as the grid needs it`, () => {
    it('rounds halves to even, and keeps integers as they are', async () => {
      const inputs = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3, 2 ** 22 + 0.5, 2 ** 24]
      const expected = [0, 2, 2, 0, -2, -2, 3, 2 ** 22, 2 ** 24]
      expect((await rowOf(inputs, ops.round)).map((value) => value + 0)).toEqual(expected)
    })

    it('adds up integers exactly while every partial sum is below 2^24, over a leading axis too', async () => {
      const g = new GraphBuilder()
      const sum = ops.reduceSum(g, g.input('x', 'float32', [BATCH, 2]), [0], false)
      await using runner = await createRunner(g.build({ sum }), 'test')
      const rows = [8_388_607, -8_388_000, 4_194_303, 1, 8_388_607, -3]
      const data = Float32Array.from(rows.flatMap((value) => [value, -value]))
      const { sum: result } = await runner.run({ x: { shape: [rows.length, 2], data } })
      const total = rows.reduce((sum_, value) => sum_ + value, 0)
      expect([...result!.data]).toEqual([total, -total])
    })

    it('gives a masked score no weight at all', async () => {
      expect(await rowOf([1, -1e9, 1, -1e9], ops.softmax)).toEqual([0.5, 0, 0.5, 0])
    })

    it('lets a norm that is NaN or infinite be seen', async () => {
      expect(await rowOf([Number.NaN, Number.POSITIVE_INFINITY], ops.sqrt)).toEqual([
        Number.NaN,
        Number.POSITIVE_INFINITY,
      ])
    })
  })

  describe(`${runtime}, as a runner`, () => {
    const sums = (): Graph => {
      const g = new GraphBuilder()
      return g.build({ sums: ops.reduceSum(g, g.input('x', 'float32', [BATCH, SEQUENCE]), [1], false) })
    }
    const ones = (rows: number, length: number): RunTensor => ({
      shape: [rows, length],
      data: new Float32Array(rows * length).fill(1),
    })

    it('takes any number of records and any length in one session', async () => {
      await using runner = await createRunner(sums(), 'test')
      for (const [rows, length] of [
        [1, 1],
        [4, 2],
        [2, 7],
      ] as const) {
        const { sums: result } = await runner.run({ x: ones(rows, length) })
        expect([...result!.data]).toEqual(Array.from({ length: rows }, () => length))
      }
    })

    it('returns a value that another operation also uses, an input and a constant', async () => {
      const g = new GraphBuilder()
      const x = g.input('x', 'float32', [BATCH, 2])
      const features = ops.div(g, x, g.scalar(2))
      const logits = ops.matmul(g, features, ops.transposeMatrix(g, g.input('w', 'float32', [3, 2])))
      const weight = g.weight({ name: 'frozen', shape: [2], data: Float32Array.of(5, 6) })
      await using runner = await createRunner(g.build({ features, logits, same: x, frozen2: weight }), 'test')
      const inputs = {
        x: { shape: [1, 2], data: Float32Array.of(2, 4) },
        w: { shape: [3, 2], data: Float32Array.of(1, 0, 0, 1, 1, 1) },
      }
      for (let again = 0; again < 2; again++) {
        const results = await runner.run(inputs)
        expect([...results.features!.data]).toEqual([1, 2])
        expect([...results.logits!.data]).toEqual([1, 2, 3])
        expect([...results.same!.data]).toEqual([2, 4])
        expect([...results.frozen2!.data]).toEqual([5, 6])
      }
    })

    it('returns results that a later run leaves alone', async () => {
      await using runner = await createRunner(sums(), 'test')
      const first = (await runner.run({ x: ones(2, 3) })).sums!
      await runner.run({ x: ones(2, 9) })
      expect([...first.data]).toEqual([3, 3])
    })

    it('names an input that is missing, and runs on after it', async () => {
      await using runner: GraphRunner = await createRunner(sums(), 'test')
      await expect(runner.run({})).rejects.toThrow(FedsvdError)
      await expect(runner.run({})).rejects.toThrow(/the input "x"/)
      expect([...(await runner.run({ x: ones(1, 4) })).sums!.data]).toEqual([4])
    })

    it('lives beside another runner', async () => {
      await using one = await createRunner(sums(), 'one')
      {
        await using two = await createRunner(sums(), 'two')
        expect([...(await two.run({ x: ones(1, 2) })).sums!.data]).toEqual([2])
      }
      expect([...(await one.run({ x: ones(1, 3) })).sums!.data]).toEqual([3])
    })
  })
}
