import { type Graph, interpret } from '@fedsvd/core/autodiff'
import { type AdapterState, initialState, tensorsOfState, trainedSpecs } from '@fedsvd/core/lora'
import { gradientName } from '@fedsvd/core/models'
import { createStarterEngine, type StarterEncoderConfig } from '@fedsvd/starter'
import { TINY_ENCODER, tinyCheckpoint, waveNamed } from '@fedsvd/testing/core/models'
import { type LotResult, lotResult } from '@fedsvd/testing/engine/training'
import { describe, expect, it } from 'vitest'
import { loadRuntime } from '../runtime/index.ts'
import { padBatch } from './micro-batches.ts'
import type { EncodedRecord, LabelledRecord, TrainingEngine } from './training-engine.ts'

const TERMS = { rank: 2, alpha: 4, headMode: 'trained', classes: 3 } as const
const RUNTIMES = ['onnxruntime', 'tfjs-cpu', 'tfjs-wasm'] as const

/** Long enough for four lengths of padding, wide enough for blocked matrix products. */
const SMALL_ENCODER: StarterEncoderConfig = {
  vocabularySize: 50,
  embeddingWidth: 40,
  width: 72,
  ffnWidth: 104,
  heads: 2,
  layers: 2,
  maxTokens: 64,
}

const recordsOf = (lengths: readonly number[], vocabulary: number): EncodedRecord[] =>
  lengths.map((length, n) => ({
    tokenIds: Int32Array.from({ length }, (_, t) => (7 * n + 13 * t * (t + n)) % vocabulary),
    label: n % TERMS.classes,
  }))

const stateOf = ({ schema }: TrainingEngine): AdapterState => {
  const initial = initialState(schema, { seed: 'runtimes' })
  return {
    ...initial,
    b: initial.b.map((spec, index) => waveNamed(index, spec, 0.3)),
    head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.5)),
  }
}

describe.each(RUNTIMES)('the private step on %s', (runtime) => {
  it('agrees with the interpreter: losses, norms and every gradient to float32', async () => {
    const graphs: Graph[] = []
    const load = await loadRuntime({ threads: 1, runtime })
    await using engine = await createStarterEngine({
      ...TERMS,
      threads: 1,
      encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
      createRunner: (graph, name) => {
        graphs.push(graph)
        return load(graph, name)
      },
    })
    const [state, records] = [stateOf(engine), recordsOf([6, 3, 1, 5], TINY_ENCODER.vocabularySize)]
    const actual = await engine.recordGradients(records, state)
    const batch = padBatch(records as LabelledRecord[], { rows: records.length, length: TINY_ENCODER.maxTokens }, -1)
    const parameters = tensorsOfState(state).map((tensor) => [tensor.name, tensor] as const)
    const expected = interpret(
      graphs[0]!,
      Object.fromEntries(
        Object.entries({ ...Object.fromEntries(parameters), ...batch }).map(([name, { shape, data }]) => [
          name,
          { shape, data: Float64Array.from(data) },
        ]),
      ),
    )
    for (const [n, { loss, gradient }] of actual.entries()) {
      expect(Math.abs(loss - expected.losses!.data[n]!)).toBeLessThan(1e-5)
      for (const [index, { name }] of trainedSpecs(engine.schema).entries()) {
        const size = gradient[index]!.length
        const own = expected[gradientName(name)]!.data.subarray(n * size, (n + 1) * size)
        const norm = Math.hypot(...own)
        expect(norm).toBeGreaterThan(0)
        expect(Math.hypot(...own.map((value, at) => value - gradient[index]![at]!)) / norm).toBeLessThan(1e-5)
      }
    }
  })

  it('of a lot is the sum over batches of one, integer for integer', async () => {
    await using engine = await createStarterEngine({
      ...TERMS,
      threads: 1,
      runtime,
      maxTokensPerMicroBatch: 64,
      encoder: { config: SMALL_ENCODER, checkpoint: tinyCheckpoint(SMALL_ENCODER) },
    })
    const state = stateOf(engine)
    const records = recordsOf([3, 17, 9, 40, 1, 25, 64, 48], SMALL_ENCODER.vocabularySize)
    const together = await lotResult(engine, records, state, 1)
    const apart: LotResult[] = []
    for (const record of records) apart.push(await lotResult(engine, [record], state, 1))
    for (const [index, sum] of together.gridSum.entries()) {
      const added = sum.map((_, at) => apart.reduce((total, { gridSum }) => total + gridSum[index]![at]!, 0))
      expect(added).toEqual(sum)
    }
    expect(Float64Array.from(apart, ({ norms }) => norms[0]!)).toEqual(together.norms)
  })
})
