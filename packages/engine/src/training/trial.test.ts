import { initialState } from '@fedsvd/core/adapters'
import { TINY_ENCODER, tinyCheckpoint } from '@fedsvd/core/model/testing'
import { describe, expect, it } from 'vitest'
import { loadRuntime, type RunTensor } from '../runtime/index.ts'
import { createStarterEngine } from './index.ts'
import { lotOf } from './testing/index.ts'
import { isProven, triedFirst } from './trial.ts'

const limits = { maxTokens: 6, positions: 6, vocabularySize: 11, classes: 2 }
const record = { tokenIds: Int32Array.of(1, 2), label: 1 }

/** An engine whose runtime passes its outputs through `alter`, and the number of runs so far. */
async function engineWith(alter: (name: string, tensor: RunTensor, rows: number) => RunTensor) {
  const load = await loadRuntime({ threads: 1 })
  const counter = { runs: 0 }
  const engine = await createStarterEngine({
    rank: 2,
    alpha: 2,
    headMode: 'trained',
    classes: 2,
    threads: 1,
    maxPlaces: 36,
    encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
    createRunner: async (graph, name) => {
      const runner = await load(graph, name)
      return {
        ...runner,
        run: async (inputs) => {
          counter.runs++
          const rows = inputs.tokenIds!.shape[0]!
          const outputs = Object.entries(await runner.run(inputs))
          return Object.fromEntries(outputs.map(([output, tensor]) => [output, alter(output, tensor, rows)]))
        },
      }
    },
  })
  return { engine: triedFirst(engine, limits), counter, state: initialState(engine.schema, { seed: 'a' }) }
}

describe('the trial before the first private step', () => {
  it('lets a sound runtime pass, is made once, and leaves the results alone', async () => {
    const { engine, counter, state } = await engineWith((_, tensor) => tensor)
    const first = await engine.clippedLotSum(lotOf([record]), state, 1)
    const afterTrial = counter.runs
    expect(afterTrial).toBeGreaterThan(24)
    expect((await engine.clippedLotSum(lotOf([record]), state, 1)).units).toEqual(first.units)
    expect(counter.runs).toBe(afterTrial + 1)
  })

  it('refuses a runtime in which one coordinate moves by one unit in larger batches, and goes on refusing', async () => {
    const { engine, counter, state } = await engineWith((output, tensor, rows) =>
      output === 'gradient:classifier.bias' && rows > 4
        ? { ...tensor, data: (tensor.data as Float32Array).map((value, index) => value + (index === 1 ? 1 : 0)) }
        : tensor,
    )
    await expect(engine.clippedLotSum(lotOf([record]), state, 1)).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    const { runs } = counter
    await expect(engine.clippedLotSum(lotOf([record]), state, 1)).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    expect(counter.runs).toBe(runs)
  })

  it('is for devices: what the tests of this repository hold to the bit needs none', () => {
    expect(isProven({ threads: 1 })).toBe(true)
    expect(isProven({ threads: 1, runtime: 'tfjs-wasm' })).toBe(true)
    expect(isProven({ threads: 1, executionProvider: 'cuda' })).toBe(false)
    expect(isProven({ threads: 1, runtime: 'tfjs' })).toBe(false)
    expect(isProven({ threads: 1, runtime: 'tfjs-node' })).toBe(false)
  })
})
