import { BATCH, GraphBuilder, ops, SEQUENCE } from '@fedsvd/core/autodiff'
import { describe, expect, it } from 'vitest'
import { loadTfjsBackend } from './backends.ts'
import { createTfjsRunner } from './tfjs-runner.ts'

/** A graph with a weight, operators of several outputs, and a value that leaves and is used on. */
function graph() {
  const g = new GraphBuilder()
  const x = g.input('x', 'float32', [BATCH, SEQUENCE, 4])
  const table = g.weight({ name: 'table', shape: [4, 4], data: Float32Array.from({ length: 16 }, Math.sin) })
  const row = g.weight({ name: 'row', shape: [4], data: Float32Array.of(1, 2, 3, 4) })
  const mixed = ops.layerNorm(g, ops.add(g, ops.matmul(g, x, table), ops.firstRows(g, table, x, 1)), row, row, 1e-6)
  const [first, second] = ops.split(g, mixed, -1, [1, 3])
  return g.build({ first: first!, logs: ops.logSoftmax(g, second!), whole: ops.softmax(g, mixed) })
}

const input = (rows: number, length: number) => ({
  x: { shape: [rows, length, 4], data: Float32Array.from({ length: 4 * rows * length }, Math.cos) },
})

describe.each(['cpu', 'wasm'] as const)('tensors on %s', (name) => {
  it('are the weights alone between runs, after a run that failed, and none once the runner is closed', async () => {
    const backend = await loadTfjsBackend(name)
    const count = () => backend.tf.memory().numTensors
    const before = count()
    const runner = await createTfjsRunner(graph(), backend)
    const resident = count()
    expect(resident - before).toBe(2)
    for (let run = 0; run < 3; run++) {
      await runner.run(input(2, 3))
      expect(count()).toBe(resident)
    }
    await expect(runner.run({ x: { shape: [2, 3, 5], data: new Float32Array(30) } })).rejects.toThrow()
    expect(count()).toBe(resident)
    await expect(runner.run({})).rejects.toThrow(/the input "x"/)
    expect(count()).toBe(resident)
    await runner[Symbol.asyncDispose]()
    expect(count()).toBe(before)
  })

  it('hold no more bytes at once than the values still needed: a long chain costs as much as a short one', async () => {
    const backend = await loadTfjsBackend(name)
    const peakOf = async (links: number): Promise<number> => {
      const g = new GraphBuilder()
      let value = g.input('x', 'float32', [BATCH])
      for (let link = 0; link < links; link++) value = ops.tanh(g, value)
      await using runner = await createTfjsRunner(g.build({ y: value }), backend)
      const input = { x: { shape: [1000], data: new Float32Array(1000) } }
      // The type asks for tensors; what the function returns is only passed on.
      const profile = await backend.tf.profile(async () => void (await runner.run(input)) as never)
      return profile.peakBytes
    }
    const short = await peakOf(4)
    expect(short).toBeGreaterThanOrEqual(4 * 1000)
    expect(await peakOf(40)).toBe(short)
  })
})
