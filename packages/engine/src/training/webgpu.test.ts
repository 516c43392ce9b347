import { type AdapterState, initialState, type Task, trainedSpecs } from '@fedsvd/core/lora'
import { type Checkpoint, type ConfigFields, decoderConfig, encoderConfig, type Gpt2Config } from '@fedsvd/core/models'
import { beginClippedSum } from '@fedsvd/core/privacy'
import { encoderWeights, tinyGpt2Checkpoint, waveNamed } from '@fedsvd/testing/core/models'
import { webGpuHere } from '@fedsvd/testing/engine/tfjs/webgpu-here'
import { lotOf } from '@fedsvd/testing/engine/training'
import { describe, expect, it } from 'vitest'
import { loadRuntime } from '../runtime/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import { checkpointSchema, createCheckpointEngine } from './checkpoint-engine.ts'
import { requireKnownAnswers } from './known-answers.ts'
import type { EncodedRecord, RecordGradient, TaskEngine } from './training-engine.ts'

const missing = await webGpuHere()

/** Every way in which the product computes on WebGPU. */
const PATHS: readonly [string, RuntimeSettings][] = [
  ['TensorFlow.js on WebGPU', { threads: 1, runtime: 'tfjs-webgpu' }],
  ['onnxruntime on WebGPU', { threads: 1, executionProvider: 'webgpu' }],
]

interface Model {
  readonly config: ConfigFields
  readonly task: Task
  readonly weights: () => Checkpoint
  readonly vocabularySize: number
}

/**
 * bert-base and gpt2 with the widths of their layers: kernels are chosen by these and by the shape of a micro-batch.
 * One layer and a small vocabulary, because a software adapter would take an hour otherwise.
 */
const BERT = {
  model_type: 'bert',
  vocab_size: 1000,
  hidden_size: 768,
  num_hidden_layers: 1,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 512,
}
const GPT2 = { model_type: 'gpt2', vocab_size: 1000, n_embd: 768, n_layer: 1, n_head: 12, n_positions: 1024 }

const MODELS: readonly [string, Model][] = [
  [
    'bert',
    {
      config: BERT,
      task: 'sequence-classification',
      weights: () => encoderWeights(encoderConfig(BERT)),
      vocabularySize: BERT.vocab_size,
    },
  ],
  [
    'gpt2',
    {
      config: GPT2,
      task: 'causal-lm',
      // A table and matrices this wide, at the amplitude of tiny ones, would saturate every softmax.
      weights: () => scaled(tinyGpt2Checkpoint(decoderConfig(GPT2).sizes as Gpt2Config), 0.1),
      vocabularySize: GPT2.vocab_size,
    },
  ],
]

function scaled(checkpoint: Checkpoint, factor: number): Checkpoint {
  const smaller = [...checkpoint].map(([name, tensor]) => {
    return [name, tensor.shape.length === 2 ? { ...tensor, data: tensor.data.map((v) => factor * v) } : tensor] as const
  })
  return new Map(smaller)
}

/** Another record for every key; its targets are its next tokens where it has no label. */
function recordOf({ task, vocabularySize }: Model, length: number, key: number): EncodedRecord {
  const tokenIds = Int32Array.from(
    { length },
    (_, at) => (7919 * (key + 1) + 104_729 * at * (at + key)) % vocabularySize,
  )
  if (task === 'sequence-classification') return { tokenIds, label: key % 2 }
  return { tokenIds, targets: Int32Array.from(tokenIds, (_, at) => tokenIds[at + 1] ?? -100) }
}

async function engineOn(settings: RuntimeSettings, { config, task, weights }: Model): Promise<TaskEngine> {
  const schema = checkpointSchema(config, { task, rank: 8, alpha: 8, headMode: 'trained', classes: 2 })
  const checkpoint = { config, tensors: async () => weights() }
  const createRunner = await loadRuntime(settings)
  return await createCheckpointEngine(checkpoint, { task, schema, classes: 2, threads: 1, createRunner })
}

const stateOf = ({ schema }: TaskEngine): AdapterState => {
  const initial = initialState(schema, { seed: 'webgpu' })
  return {
    ...initial,
    b: initial.b.map((spec, index) => waveNamed(index, spec, 0.05)),
    head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.05)),
  }
}

describe.skipIf(missing)(`training on WebGPU${missing ? ` (skipped: ${missing})` : ''}`, () => {
  describe.each(PATHS)('by %s', (_, settings) => {
    it('gives the known answers', { timeout: 900_000 }, async () => {
      await expect(requireKnownAnswers(await loadRuntime(settings))).resolves.toBeUndefined()
    })

    it.each(MODELS)(
      'has the same integers for a record in any row and beside any others, at the widths of %s',
      { timeout: 900_000 },
      async (__, model) => {
        await using engine = await engineOn(settings, model)
        const [state, specs] = [stateOf(engine), trainedSpecs(engine.schema)]
        const own = recordOf(model, 13, 0)
        const rows = engine.rowsFor(own)
        expect(rows).toBeGreaterThan(2)
        const others = Array.from({ length: rows }, (__, key) => recordOf(model, 9 + (key % 8), key + 1))
        const integersOf = ({ gradient }: RecordGradient) => {
          const sum = beginClippedSum({ specs, clipNorm: 1 })
          sum.add(gradient)
          return sum.finish().gridSum
        }
        const [alone] = await engine.recordGradients([own], state)
        const expected = integersOf(alone!)
        expect(
          Math.hypot(...expected.map((tensor) => tensor.reduce((most, unit) => Math.max(most, Math.abs(unit)), 0))),
        ).toBeGreaterThan(100)
        for (const row of [0, rows - 1]) {
          const found = await engine.recordGradients(others.with(row, own), state)
          expect(integersOf(found[row]!)).toEqual(expected)
        }
        const [without, together] = [others.slice(0, -1), [...others.slice(0, -1), own]]
        const sums = await engine.clippedLotSum(lotOf(without), state, 1)
        const more = await engine.clippedLotSum(lotOf(together), state, 1)
        expect(more.gridSum.map((tensor, t) => tensor.map((integer, at) => integer - sums.gridSum[t]![at]!))).toEqual(
          expected,
        )
      },
    )
  })
})
