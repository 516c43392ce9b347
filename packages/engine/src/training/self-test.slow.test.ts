import type { Graph, Operation } from '@fedsvd/core/autodiff'
import { initialState } from '@fedsvd/core/lora'
import { PADDING_ID } from '@fedsvd/core/models'
import { gridOf } from '@fedsvd/core/privacy'
import { createStarterEngine } from '@fedsvd/starter'
import { TINY_ENCODER, tinyCheckpoint } from '@fedsvd/testing/core/models'
import { lotOf } from '@fedsvd/testing/engine/training'
import { describe, expect, it } from 'vitest'
import { loadRuntime, type RunnerFactory, type RunTensor } from '../runtime/index.ts'
import { KNOWN_ANSWERS, requireKnownAnswers } from './known-answers.ts'
import { isVerifiedRuntime, withSelfTest } from './self-test.ts'

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
    maxTokensPerMicroBatch: 36,
    encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
    createRunner,
  })

/** A sound runtime whose graphs and outputs are tampered with, and the number of its runs. */
async function tampered(alter: Alter, rewrite = (graph: Graph) => graph) {
  const load = await loadRuntime({ threads: 1 })
  const counter = { runs: 0 }
  const createRunner: RunnerFactory = async (graph, name) => {
    const runner = await load(rewrite(graph), name)
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
  }
  return { createRunner, counter }
}

/**
 * An engine whose runtime is sound at the sizes of the known answers, and passes its outputs through `alter` at its
 * own.
 */
async function engineWith(alter: Alter) {
  const load = await loadRuntime({ threads: 1 })
  const { createRunner, counter } = await tampered(alter)
  const engine = await tinyEngine(createRunner)
  return {
    engine: withSelfTest(engine, kind, { createRunner: load, reference: () => tinyEngine(load), requireKnownAnswers }),
    counter,
    state: initialState(engine.schema, { seed: 'a' }),
  }
}

/** The values of one row of an output, changed. */
const atRow = (data: Float32Array, row: number, rows: number, change: (value: number) => number) =>
  data.map((value, at) => (Math.floor((at * rows) / data.length) === row ? change(value) : value))

/** The graph on a device whose casts of a bool only relabel its bytes: those of a 1 are the float32 2^-149. */
function withIdleCasts(graph: Graph): Graph {
  const relabelled = { name: 'relabelled', dtype: 'float32', shape: [], data: Float32Array.of(2 ** -149) } as const
  const operations = graph.operations.flatMap((operation): Operation[] => {
    const [input, output] = [operation.inputs[0]!, operation.outputs[0]!]
    if (operation.op !== 'Cast' || input.dtype !== 'bool' || output.dtype !== 'float32') return [operation]
    const sound = { ...output, name: `${output.name}.sound` }
    const idle: Operation = { op: 'Mul', inputs: [sound, relabelled], outputs: [output], attributes: {} }
    return [{ ...operation, outputs: [sound] }, idle]
  })
  return { ...graph, constants: [...graph.constants, relabelled], operations }
}

/** One grid unit more in the first record of the first known answer, where its stored integer is zero. */
const withOneUnitMore: Alter = (name, data, { tokenIds }) => {
  const { fine, records } = KNOWN_ANSWERS[0]!
  if (name !== FIRST_TRAINED || tokenIds.data.indexOf(PADDING_ID) !== records[0]!.tokenIds.length) return data
  const at = fine.units[0]!.indexOf(0)
  return data.with(at, data[at]! + gridOf(fine.clipNorm))
}

const FIRST_TRAINED = 'gradient:distilbert.transformer.layer.0.attention.q_lin.lora_B.weight'

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
    expect((await engine.clippedLotSum(lotOf([record]), state, 1)).gridSum).toEqual(first.gridSum)
    expect(counter.runs).toBe(afterTest + 2)
  })

  const faults: [string, RegExp, Alter][] = [
    [
      'one bit of a gradient differs in the second row',
      /change with the batch/,
      (name, data, { labels }) => (isHead(name) ? atRow(data, 1, labels.shape[0]!, lastBit) : data),
    ],
    [
      'one bit of a gradient differs in the last row',
      /change with the batch/,
      (name, data, { labels }) => (isHead(name) ? atRow(data, labels.shape[0]! - 1, labels.shape[0]!, lastBit) : data),
    ],
    [
      'a record beside a blank row differs by one bit',
      /change with the batch/,
      (name, data, { labels }) => {
        const isBlank = labels.data.some((label) => label === -1)
        return isHead(name) && isBlank ? data.map(lastBit) : data
      },
    ],
    [
      'a record sees the first token of its neighbour',
      /change with the batch/,
      (name, data, { tokenIds }) => {
        const [rows, length] = tokenIds.shape as [number, number]
        return isHead(name) ? atRow(data, 0, rows, (value) => value + 1e-6 * tokenIds.data[(rows - 1) * length]!) : data
      },
    ],
    [
      'a device keeps the bytes of a bool where it should make a number of it',
      /losses as onnxruntime on the CPU has them/,
      (_, data) => data.map((value) => 1149 * value),
    ],
    [
      'gradients are those of something else',
      /gradients as onnxruntime on the CPU has them/,
      (name, data) => (isHead(name) ? data.map((value) => -value) : data),
    ],
    [
      'losses are those of something else',
      /losses as onnxruntime on the CPU has them/,
      (name, data) => (name === 'losses' ? data.map((value) => 1.1 * value) : data),
    ],
    [
      'gradients are not numbers',
      /change with the batch/,
      (name, data) => (isHead(name) ? data.map(() => Number.NaN) : data),
    ],
    [
      'gradients are zeros',
      /norms of gradients as onnxruntime on the CPU has them/,
      (name, data) => (name.startsWith('gradient') ? data.map(() => 0) : data),
    ],
  ]

  it.each(faults)('refuses a runtime on which %s, and goes on refusing', async (_, message, alter) => {
    const { engine, counter, state } = await engineWith(alter)
    await expect(engine.verify()).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    await expect(engine.verify()).rejects.toThrow(message)
    const { runs } = counter
    await expect(engine.clippedLotSum(lotOf([record]), state, 1)).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    await expect(engine.verify()).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    expect(counter.runs).toBe(runs)
  })

  const same = (_: string, data: Float32Array) => data
  const wrongEverywhere: [string, RegExp, Alter, ((graph: Graph) => Graph)?][] = [
    ['casts leave the bytes of a bool as they are', /Cast to float32.*made-up integers/, same, withIdleCasts],
    [
      'norms are 1149 times too large',
      /norms of gradients as stored/,
      (name, data) => (name.startsWith('gradient') ? data.map((value) => 1149 * value) : data),
    ],
    ['one integer of a record is off by one', /integers as stored/, withOneUnitMore],
    [
      'losses are 1 % too large',
      /losses as stored/,
      (name, data) => (name === 'losses' ? data.map((value) => 1.01 * value) : data),
    ],
  ]

  it.each(wrongEverywhere)(
    'refuses a runtime on which %s, where the one that it is compared with is wrong in the same way',
    async (_, message, alter, rewrite) => {
      const { createRunner, counter } = await tampered(alter, rewrite)
      const own = await tinyEngine(createRunner)
      const engine = withSelfTest(own, kind, {
        createRunner,
        reference: () => tinyEngine(createRunner),
        requireKnownAnswers,
      })
      await expect(engine.verify()).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
      await expect(engine.verify()).rejects.toThrow(message)
      const { runs } = counter
      const state = initialState(own.schema, { seed: 'a' })
      await expect(engine.clippedLotSum(lotOf([record]), state, 1)).rejects.toThrow(message)
      expect(counter.runs).toBe(runs)
    },
  )

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
