import { BATCH, GraphBuilder, ops, SEQUENCE } from '@fedsvd/core/autodiff'
import { slowProducts, turnsDuring } from '@fedsvd/testing/engine/runtime/slow-products'
import { describe, expect, it } from 'vitest'
import { loadRuntime } from '../load-runtime.ts'
import { loadTfjsBackend } from './backends.ts'
import { createTfjsRunner } from './tfjs-runner.ts'

const SIZE = 256
const products = slowProducts(SIZE)

/** A graph with weights, integers, sizes and operators with attributes. */
function variedGraph() {
  const g = new GraphBuilder()
  const ids = g.input('ids', 'int32', [BATCH, SEQUENCE])
  const table = g.weight({ name: 'table', shape: [7, 4], data: Float32Array.from({ length: 28 }, Math.sin) })
  const row = g.weight({ name: 'row', shape: [4], data: Float32Array.of(1, 2, 3, 4) })
  const mixed = ops.layerNorm(g, ops.gatherRows(g, table, ids), row, row, 1e-6)
  const [first, second] = ops.split(g, mixed, -1, [1, 3])
  return g.build({ first: first!, logs: ops.logSoftmax(g, second!), whole: ops.gelu(g, ops.softmax(g, mixed)) })
}
const ids = { ids: { shape: [2, 3], data: Int32Array.of(0, 6, 2, 3, 3, 5) } }

describe.each(['cpu', 'wasm'] as const)('a run of TensorFlow.js on %s', (backend) => {
  const load = () => loadRuntime({ threads: 1, runtime: `tfjs-${backend}` })

  it('leaves the event loop to whoever waits for an answer meanwhile', async () => {
    await using runner = await (await load())(products.graph, 'slow')
    const { value, turns } = await turnsDuring(() => runner.run(products.inputs))
    expect(value.y!.data[0]).toBeCloseTo(1 / SIZE, 6)
    expect(turns).toBeGreaterThan(5)
  })

  it('computes to the bit what it computes in the thread that asks', async () => {
    await using here = await createTfjsRunner(variedGraph(), await loadTfjsBackend(backend))
    await using apart = await (await load())(variedGraph(), 'apart')
    expect(await apart.run(ids)).toEqual(await here.run(ids))
  })

  it('leaves its inputs and the weights as they were, and answers runs in the order of asking', async () => {
    const graph = variedGraph()
    const create = await load()
    await using runner = await create(graph, 'first')
    await using other = await create(graph, 'second')
    const [one, two, three] = await Promise.all([runner.run(ids), other.run(ids), runner.run(ids)])
    expect([two, three]).toEqual([one, one])
    expect(ids.ids.data).toHaveLength(6)
    expect(graph.constants.map(({ data }) => data.length)).toEqual(
      variedGraph().constants.map(({ data }) => data.length),
    )
  })

  it('fails by an error of the catalogue where it did, and so does a run after its end', async () => {
    const runner = await (await load())(variedGraph(), 'failing')
    await expect(runner.run({})).rejects.toMatchObject({ code: 'GRAPH_INVALID', name: 'FedsvdError' })
    await expect(runner.run({})).rejects.toThrow(/the input "ids"/)
    await expect(runner.run({ ids: { shape: [1, 1], data: Int32Array.of(1, 2, 3) } })).rejects.toThrow(Error)
    await runner[Symbol.asyncDispose]()
    await runner[Symbol.asyncDispose]()
    await expect(runner.run(ids)).rejects.toThrow('released')
  })
})
