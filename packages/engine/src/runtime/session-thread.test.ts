import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { GraphBuilder, ops, toOnnx } from '@fedsvd/core/autodiff'
import { slowProducts, turnsDuring } from '@fedsvd/testing/engine/runtime/slow-products'
import { describe, expect, it } from 'vitest'
import { createOnnxRunner } from './onnx-runner.ts'

const SIZE = 700
/** So many that onnxruntime divides them among its threads. */
const COUNT = 2 ** 19
const products = slowProducts(SIZE)

describe('a run of onnxruntime', () => {
  // First, so that the session of another thread is the first one of this process.
  it('takes denormals for zero in all of its threads or in none, whichever thread opened the first session', async () => {
    await sessionInAnotherThread()
    const g = new GraphBuilder()
    const doubled = g.build({ y: ops.add(g, g.input('x', 'float32', [COUNT]), g.input('x2', 'float32', [COUNT])) })
    const x = { shape: [COUNT], data: new Float32Array(COUNT).fill(1e-40) }
    await using runner = await createOnnxRunner(doubled, { name: 'all or none', threads: 4 })
    // Which thread takes which part is not the same each time.
    for (let turn = 0; turn < 30; turn += 1) {
      const { y } = await runner.run({ x, x2: x })
      expect(new Set(y!.data).size).toBe(1)
    }
  })

  it('leaves the event loop to whoever waits for an answer meanwhile', async () => {
    await using runner = await createOnnxRunner(products.graph, { name: 'slow', threads: 1 })
    const { value, turns } = await turnsDuring(() => runner.run(products.inputs))
    expect(value.y!.data[0]).toBeCloseTo(1 / SIZE, 6)
    expect(turns).toBeGreaterThan(5)
  })

  it('leaves denormal numbers what they are in the thread that asks for it', async () => {
    await using runner = await createOnnxRunner(products.graph, { name: 'denormals', threads: 1 })
    await runner.run(products.inputs)
    expect([Number.MIN_VALUE].map((value) => value * 1)).not.toEqual([0])
  })

  it('leaves its inputs as they were, and answers runs in the order of asking', async () => {
    await using runner = await createOnnxRunner(products.graph, { name: 'twice', threads: 1 })
    const doubled = { ...products.inputs.x, data: products.inputs.x.data.map((value) => 2 * value) }
    const [one, other] = await Promise.all([runner.run(products.inputs), runner.run({ x: doubled })])
    expect(products.inputs.x.data.length).toBe(SIZE * SIZE)
    expect(other.y!.data[0]! / one.y!.data[0]!).toBeCloseTo(2 ** 41, -9)
  })

  it('fails by the error of the library, and so does a run after its end', async () => {
    const runner = await createOnnxRunner(products.graph, { name: 'failing', threads: 1 })
    await expect(runner.run({ x: { shape: [1], data: new Float32Array(1) } })).rejects.toThrow(/x|rank/i)
    await runner[Symbol.asyncDispose]()
    await expect(runner.run(products.inputs)).rejects.toThrow('released')
  })
})

/** Opens the first session of this process, unless it has one. */
async function sessionInAnotherThread(): Promise<void> {
  const g = new GraphBuilder()
  const model = toOnnx(g.build({ y: ops.add(g, g.input('x', 'float32', [1]), g.input('x2', 'float32', [1])) }), 'first')
  const settings = { extra: { session: { set_denormal_as_zero: '1' } } }
  const program = `
    import { workerData } from 'node:worker_threads'
    const { InferenceSession } = await import(workerData.library)
    await InferenceSession.create(workerData.model, workerData.settings)
  `
  const library = import.meta.resolve('onnxruntime-node')
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
    execArgv: [],
    workerData: { library, model, settings },
  })
  await once(worker, 'exit')
}
