import { type AdapterState, initialState, type Task } from '@fedsvd/core/lora'
import { type Checkpoint, type ConfigFields, decoderConfig, encoderConfig } from '@fedsvd/core/models'
import { tinyGpt2Checkpoint, tinyLlamaCheckpoint, waveNamed } from '@fedsvd/testing/core/models'
import { type LotResult, lotResult, total } from '@fedsvd/testing/engine/training'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IGNORED } from '../datasets/index.ts'
import { createDecoderEngine, decoderSchema } from './decoder.ts'
import type { EncodedRecord, PrivateEngine, TokenEngine } from './training-engine.ts'

/** Wide enough for blocked matrix products, long enough for four lengths of padding. */
const GPT2: ConfigFields = {
  model_type: 'gpt2',
  vocab_size: 211,
  n_embd: 72,
  n_layer: 2,
  n_head: 3,
  n_positions: 64,
}
const LLAMA: ConfigFields = {
  model_type: 'qwen2',
  vocab_size: 211,
  hidden_size: 72,
  intermediate_size: 104,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
}
const CLASSES = 5

function checkpointOf(config: ConfigFields): { config: ConfigFields; tensors: () => Promise<Checkpoint> } {
  const { family, sizes, tied } = decoderConfig(config)
  const tensors = family === 'gpt2' ? tinyGpt2Checkpoint(sizes) : tinyLlamaCheckpoint(sizes, tied)
  return { config, tensors: async () => tensors }
}

async function engineOf(config: ConfigFields, task: Task, threads = 1) {
  const terms = { task, rank: 3, alpha: 6, classes: CLASSES, headMode: 'trained' } as const
  const schema = decoderSchema(decoderConfig(config), terms)
  return await createDecoderEngine(checkpointOf(config), { task, schema, classes: CLASSES, threads })
}

/** Every trained tensor matters. */
const stateOf = ({ schema }: PrivateEngine): AdapterState => {
  const initial = initialState(schema, { seed: 'tokens' })
  return {
    ...initial,
    b: initial.b.map((spec, index) => waveNamed(index, spec, 0.2)),
    head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.3)),
  }
}

const recordsOf = (lengths: readonly number[], task: Task): EncodedRecord[] =>
  lengths.map((length, n) => {
    const tokenIds = Int32Array.from({ length }, (_, t) => (7 * n + 13 * t * (t + n)) % 211)
    if (task === 'sequence-classification') return { tokenIds, label: n % CLASSES }
    const targets = tokenIds.map((id, t) => (t % 4 === 3 ? IGNORED : id % (task === 'causal-lm' ? 211 : CLASSES)))
    return { tokenIds, targets }
  })

describe.each([
  ['gpt2', GPT2],
  ['qwen2', LLAMA],
] as const)('%s', (_, config) => {
  describe.each(['sequence-classification', 'token-classification', 'causal-lm'] as const)('%s', (task) => {
    let engine: PrivateEngine
    let state: AdapterState
    const records = recordsOf([3, 17, 9, 40, 1, 25, 64, 61, 16, 33], task)
    let together: LotResult
    beforeAll(async () => {
      engine = await engineOf(config, task)
      state = stateOf(engine)
      together = await lotResult(engine, records, state, 0.5)
    })
    afterAll(async () => await engine[Symbol.asyncDispose]())

    it('a lot is the sum over batches of one, integer for integer', async () => {
      const apart: LotResult[] = []
      for (const record of records) apart.push(await lotResult(engine, [record], state, 0.5))
      expect(total(apart)).toEqual(together.gridSum)
      expect(Float64Array.from(apart, ({ norms }) => norms[0]!)).toEqual(together.norms)
      expect(Float32Array.from(apart, ({ losses }) => losses[0]!)).toEqual(together.losses)
      expect(together.gridSum.some((tensor) => tensor.some((integer) => integer !== 0))).toBe(true)
    })

    it('the order changes nothing, nor does another number of threads', async () => {
      await using second = await engineOf(config, task, 2)
      const backwards = await lotResult(second, records.toReversed(), state, 0.5)
      expect(backwards.gridSum).toEqual(together.gridSum)
      expect(backwards.norms.toReversed()).toEqual(together.norms)
    })
  })
})

describe('what a token engine refuses', () => {
  let engine: TokenEngine
  beforeAll(async () => {
    engine = (await engineOf(GPT2, 'token-classification')) as TokenEngine
  })
  afterAll(async () => await engine[Symbol.asyncDispose]())
  const refusal = (record: EncodedRecord) => engine.recordGradients([record], stateOf(engine))
  const tokenIds = Int32Array.of(1, 2)

  it.each<[string, EncodedRecord, RegExp]>([
    ['a record with one label', { tokenIds, label: 1 }, /SHAPE_MISMATCH: expected a target for every token/],
    ['too few targets', { tokenIds, targets: Int32Array.of(1) }, /SHAPE_MISMATCH.*got 1 for 2 in record 0/],
    [
      'a foreign target',
      { tokenIds, targets: Int32Array.of(1, CLASSES) },
      /LABEL_UNKNOWN.*targets from 0 to 4, or -100/,
    ],
    ['a negative target', { tokenIds, targets: Int32Array.of(-1, 1) }, /LABEL_UNKNOWN/],
    ['a foreign token', { tokenIds: Int32Array.of(211), targets: Int32Array.of(1) }, /SHAPE_MISMATCH/],
  ])('%s', async (_, record, message) => {
    await expect(refusal(record)).rejects.toThrow(message)
  })

  it('and a classifier refuses a record with targets', async () => {
    await using classifier = await engineOf(GPT2, 'sequence-classification')
    const gradients = classifier.recordGradients([{ tokenIds, targets: tokenIds }], stateOf(classifier))
    await expect(gradients).rejects.toThrow(/SHAPE_MISMATCH: expected one label, got targets for tokens/)
  })
})

it('the factors alone are trained where tokens are predicted', () => {
  const terms = { rank: 2, alpha: 4, classes: 0, headMode: 'trained' } as const
  const schema = decoderSchema(decoderConfig(GPT2), { ...terms, task: 'causal-lm' })
  expect(schema.head).toEqual([])
  expect(schema.layers.map(({ name }) => name)).toEqual(['transformer.h.0.attn.c_attn', 'transformer.h.1.attn.c_attn'])
  expect(() => encoderConfig(GPT2)).toThrow(/CHECKPOINT_INVALID/)
})
