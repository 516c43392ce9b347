/**
 * How fast the private step of the starter encoder runs, and how near that is to what its matrix products allow.
 *
 *   npx tsx bench/engine-step.ts [threads ...]
 *
 * The allowance is the multiplications of the training graph divided by the speed at which the same runtime and thread
 * count multiply two matrices of the encoder's size. Every time is the fastest of several seconds of runs, which other
 * processes on the machine disturb least.
 */
import { initialState } from '@fedsvd/core/adapters'
import { BATCH, type Graph, GraphBuilder, ops, SEQUENCE, type Shape } from '@fedsvd/core/graph'
import { createOnnxRunner } from '@fedsvd/engine/runtime'
import { createStarterEngine } from '@fedsvd/engine/training'

const LENGTHS = [128, 64, 32]
const PLACES = 1024
const SECONDS = 4

async function fastestMs(run: () => Promise<unknown>): Promise<number> {
  for (let warmUp = 0; warmUp < 3; warmUp++) await run()
  let fastest = Number.POSITIVE_INFINITY
  const end = performance.now() + 1000 * SECONDS
  while (performance.now() < end) {
    const start = performance.now()
    await run()
    fastest = Math.min(fastest, performance.now() - start)
  }
  return fastest
}

/** Multiply-add pairs of all matrix products of a graph. */
function multiplications({ operations }: Graph, records: number, length: number): number {
  const elements = (shape: Shape) =>
    shape.reduce<number>((n, dim) => n * (dim === BATCH ? records : dim === SEQUENCE ? length : Number(dim)), 1)
  return operations
    .filter(({ op }) => op === 'MatMul' || op === 'Gemm')
    .reduce((sum, { op, inputs, outputs, attributes }) => {
      const [rows, columns] = inputs[0]!.shape.slice(-2) as [number | string, number | string]
      const inner = op === 'Gemm' && (attributes.transA as { int: number }).int === 1 ? rows : columns
      return sum + elements(outputs[0]!.shape) * elements([inner])
    }, 0)
}

/** Multiply-add pairs a millisecond of one product [places, 512] x [512, 1536]. */
async function matmulSpeed(threads: number): Promise<number> {
  const g = new GraphBuilder()
  const product = ops.matmul(g, g.input('x', 'float32', [BATCH, 512]), g.input('w', 'float32', [512, 1536]))
  const graph = g.build({ row: ops.reduceSum(g, product, [0], false) })
  await using runner = await createOnnxRunner(graph, { name: 'matmul', threads })
  const x = { shape: [PLACES, 512], data: new Float32Array(PLACES * 512).fill(0.5) }
  const w = { shape: [512, 1536], data: new Float32Array(512 * 1536).fill(0.5) }
  return (PLACES * 512 * 1536) / (await fastestMs(() => runner.run({ x, w })))
}

const threadCounts = process.argv.slice(2).map(Number)
for (const threads of threadCounts.length > 0 ? threadCounts : [1, 2]) {
  const speed = await matmulSpeed(threads)
  console.log(`${threads} thread(s): ${((2 * speed) / 1e6).toFixed(0)} GFLOP/s in a plain matrix product`)
  let graph: Graph | undefined
  await using engine = await createStarterEngine({
    rank: 8,
    alpha: 8,
    headMode: 'trained',
    classes: 2,
    threads,
    maxPlaces: PLACES,
    createRunner: (built, name) => {
      graph = built
      return createOnnxRunner(built, { name, threads })
    },
  })
  const state = initialState(engine.schema, { seed: 'bench' })
  for (const { data } of [...state.b, ...state.head]) data.set(data.map((_, index) => 0.02 * Math.sin(index)))
  for (const length of LENGTHS) {
    const records = Array.from({ length: PLACES / length }, (_, n) => ({
      tokenIds: Int32Array.from({ length }, (_, t) => (977 * n + 131 * t) % 8000),
      label: n % 2,
    }))
    const ms = await fastestMs(() => engine.clippedLotSum(records, state, 1))
    const allowed = multiplications(graph!, records.length, length) / speed
    const rate = (1000 * records.length) / ms
    console.log(
      `  ${length} tokens: ${rate.toFixed(1)} examples/s (${(rate * length).toFixed(0)} tokens/s), ` +
        `${ms.toFixed(1)} ms a micro-batch, ${((100 * allowed) / ms).toFixed(0)} % of what the products allow`,
    )
  }
}
