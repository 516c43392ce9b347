import { initialState } from '@fedsvd/core/adapters'
import { TINY_ENCODER, tinyCheckpoint } from '@fedsvd/core/model/testing'
import { describe, expect, it } from 'vitest'
import { loadRuntime, type RunnerFactory, type RunTensor } from '../runtime/index.ts'
import { createStarterEngine } from './index.ts'
import { isVerifiedRuntime, withSelfTest } from './self-test.ts'
import { lotOf } from './testing/index.ts'

const kind = { maxTokens: 6, positions: 6, vocabularySize: 11, classes: 2, answer: 'label' } as const
const record = { tokenIds: Int32Array.of(1, 2), label: 1 }

type Run = { readonly labels: RunTensor; readonly tokenIds: RunTensor }
/** What a broken runtime does to an output. */
type Alter = (name: string, data: Float32Array, inputs: Run) => Float32Array

const tinyEngine = (createRunner: RunnerFactory) =>
  createStarterEngine({
    rank: 2,
    alpha: 2,
    headMode: 'trained',
    classes: 2,
    threads: 1,
    maxPlaces: 36,
    encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
    createRunner,
  })

/** An engine whose runtime passes its outputs through `alter`, tested against a sound one, and the number of its runs. */
async function engineWith(alter: Alter) {
  const load = await loadRuntime({ threads: 1 })
  const counter = { runs: 0 }
  const engine = await tinyEngine(async (graph, name) => {
    const runner = await load(graph, name)
    return {
      ...runner,
      run: async (inputs) => {
        counter.runs++
        const outputs = Object.entries(await runner.run(inputs))
        return Object.fromEntries(
          outputs.map(([output, { shape, data }]) => [
            output,
            { shape, data: alter(output, data as Float32Array, inputs as unknown as Run) },
          ]),
        )
      },
    }
  })
  return {
    engine: withSelfTest(engine, kind, () => tinyEngine(load)),
    counter,
    state: initialState(engine.schema, { seed: 'a' }),
  }
}

/** The values of one row of an output, changed. */
const atRow = (data: Float32Array, row: number, rows: number, change: (value: number) => number) =>
  data.map((value, at) => (Math.floor((at * rows) / data.length) === row ? change(value) : value))

const isHead = (name: string) => name === 'gradient:classifier.bias'
const lastBit = (value: number) => Math.fround(value * (1 + 2 ** -23))

describe('the self-test', () => {
  it('lets a sound runtime pass, is made once, and leaves the results alone', async () => {
    const { engine, counter, state } = await engineWith((_, data) => data)
    await engine.verify()
    const afterTest = counter.runs
    expect(afterTest).toBeGreaterThan(10)
    const first = await engine.clippedLotSum(lotOf([record]), state, 1)
    await engine.verify()
    expect((await engine.clippedLotSum(lotOf([record]), state, 1)).units).toEqual(first.units)
    expect(counter.runs).toBe(afterTest + 2)
  })

  const faults: [string, Alter][] = [
    [
      'one bit of a gradient differs in the second row',
      (name, data, { labels }) => (isHead(name) ? atRow(data, 1, labels.shape[0]!, lastBit) : data),
    ],
    [
      'one bit of a gradient differs in the last row',
      (name, data, { labels }) => (isHead(name) ? atRow(data, labels.shape[0]! - 1, labels.shape[0]!, lastBit) : data),
    ],
    [
      'a record beside a blank row differs by one bit',
      (name, data, { labels }) => {
        const isBlank = labels.data.some((label) => label === -1)
        return isHead(name) && isBlank ? data.map(lastBit) : data
      },
    ],
    [
      'a record sees the first token of its neighbour',
      (name, data, { tokenIds }) => {
        const [rows, length] = tokenIds.shape as [number, number]
        return isHead(name) ? atRow(data, 0, rows, (value) => value + 1e-6 * tokenIds.data[(rows - 1) * length]!) : data
      },
    ],
    [
      'a device keeps the bytes of a bool where it should make a number of it',
      (_, data) => data.map((value) => 1149 * value),
    ],
    ['gradients are those of something else', (name, data) => (isHead(name) ? data.map((value) => -value) : data)],
    [
      'losses are those of something else',
      (name, data) => (name === 'losses' ? data.map((value) => 1.1 * value) : data),
    ],
    ['gradients are not numbers', (name, data) => (isHead(name) ? data.map(() => Number.NaN) : data)],
    ['gradients are zeros', (name, data) => (name.startsWith('gradient') ? data.map(() => 0) : data)],
  ]

  it.each(faults)('refuses a runtime on which %s, and goes on refusing', async (_, alter) => {
    const { engine, counter, state } = await engineWith(alter)
    await expect(engine.verify()).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    const { runs } = counter
    await expect(engine.clippedLotSum(lotOf([record]), state, 1)).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    await expect(engine.verify()).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    expect(counter.runs).toBe(runs)
  })

  it('runs with the settings in force: more than one thread, and every device', () => {
    expect(isVerifiedRuntime({ threads: 1 })).toBe(true)
    expect(isVerifiedRuntime({ threads: 2 })).toBe(false)
    expect(isVerifiedRuntime({ threads: 1, runtime: 'tfjs-wasm' })).toBe(true)
    expect(isVerifiedRuntime({ threads: 1, runtime: 'tfjs-webgpu' })).toBe(false)
    expect(isVerifiedRuntime({ threads: 1, executionProvider: 'cuda' })).toBe(false)
    expect(isVerifiedRuntime({ threads: 1, runtime: 'tfjs' })).toBe(false)
    expect(isVerifiedRuntime({ threads: 1, runtime: 'tfjs-node' })).toBe(false)
  })

  it.each([2, 4])('passes at %d threads, at the sizes of the starter', async (threads) => {
    await using engine = await createStarterEngine({ rank: 8, alpha: 8, headMode: 'trained', classes: 2, threads })
    await expect(engine.verify()).resolves.toBeUndefined()
  })
})
