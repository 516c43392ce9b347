import { type AdapterState, initialState } from '@fedsvd/core/adapters'
import { TINY_ENCODER, tinyCheckpoint } from '@fedsvd/core/model/testing'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createStarterEngine, type EncodedRecord, starterSchema, type TrainingEngine } from './index.ts'

const OPTIONS = {
  rank: 2,
  alpha: 2,
  headMode: 'trained',
  classes: 3,
  threads: 1,
  encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
} as const

const record = (ids: readonly number[], label = 0): EncodedRecord => ({ tokenIds: Int32Array.from(ids), label })

describe('bad input is refused with a code and leaves the engine usable', () => {
  let engine: TrainingEngine
  let state: AdapterState
  beforeAll(async () => {
    engine = await createStarterEngine(OPTIONS)
    state = initialState(engine.schema, { seed: 'checks' })
  })
  afterAll(async () => await engine[Symbol.asyncDispose]())

  const withB = (change: (tensor: NamedTensor) => NamedTensor): AdapterState => ({
    ...state,
    b: state.b.map((tensor, index) => (index === 1 ? change(tensor) : tensor)),
  })

  it.each<[string, () => { records?: readonly EncodedRecord[]; state?: AdapterState; clipNorm?: number }, RegExp]>([
    ['a record without tokens', () => ({ records: [record([1]), record([])] }), /DATA_EMPTY.*record 1/],
    [
      'more tokens than the model reads',
      () => ({ records: [record([1, 1, 1, 1, 1, 1, 1])] }),
      /SHAPE_MISMATCH.*at most 6/,
    ],
    ['an id beyond the vocabulary', () => ({ records: [record([11])] }), /SHAPE_MISMATCH.*from 0 to 10/],
    ['a negative id', () => ({ records: [record([1, -1])] }), /SHAPE_MISMATCH.*from 0 to 10/],
    ['a label beyond the classes', () => ({ records: [record([1], 3)] }), /LABEL_UNKNOWN.*0 to 2, got 3/],
    ['a label that is not whole', () => ({ records: [record([1], 0.5)] }), /LABEL_UNKNOWN/],
    ['a clipNorm of 0', () => ({ clipNorm: 0 }), /CONFIG_INVALID.*positive clipNorm/],
    ['a clipNorm that float32 rounds to 0', () => ({ clipNorm: 1e-60 }), /CONFIG_INVALID/],
    ['a clipNorm of NaN', () => ({ clipNorm: Number.NaN }), /CONFIG_INVALID/],
    [
      'a factor of another shape',
      () => ({ state: withB((tensor) => ({ ...tensor, shape: [...tensor.shape].reverse() })) }),
      /SHAPE_MISMATCH.*attention\.out\.lora_B/,
    ],
    [
      'a factor under another name',
      () => ({ state: withB((tensor) => ({ ...tensor, name: 'other' })) }),
      /SHAPE_MISMATCH/,
    ],
    ['a missing factor', () => ({ state: { ...state, head: [] } }), /SHAPE_MISMATCH.*classifier\.weight/],
    ['a tensor too many', () => ({ state: { ...state, head: [...state.head, state.head[0]!] } }), /SHAPE_MISMATCH/],
    [
      'NaN in a factor',
      () => ({ state: withB((tensor) => ({ ...tensor, data: tensor.data.map(() => Number.NaN) })) }),
      /NOT_FINITE.*lora_B/,
    ],
    [
      'a finite head whose logits overflow float32',
      () => ({ state: { ...state, head: state.head.map((spec) => ({ ...spec, data: spec.data.map(() => 3e38) })) } }),
      /NOT_FINITE.*gradient norm/,
    ],
  ])('%s', async (_, change, message) => {
    const { records = [record([1, 2])], state: given = state, clipNorm = 1 } = change()
    await expect(engine.clippedLotSum(records, given, clipNorm)).rejects.toThrow(message)
    await expect(engine.clippedLotSum([record([1, 2])], state, 1)).resolves.toBeDefined()
  })

  it('looks at tokens, not at labels, for inference', async () => {
    await expect(engine.logits([record([1], 99)], state)).resolves.toHaveLength(3)
    await expect(engine.logits([record([])], state)).rejects.toThrow(/DATA_EMPTY/)
  })
})

describe('an engine that cannot exist', () => {
  it.each([
    ['a rank above the smallest layer', { rank: 5 }, /ADAPTER_INVALID.*rank of at most 4/],
    ['no adapted layer', { targets: [] }, /ADAPTER_INVALID.*at least one/],
    ['no room for tokens', { maxTokens: 0 }, /CONFIG_INVALID.*maxTokens from 1 to 6/],
    ['more tokens than positions', { maxTokens: 7 }, /CONFIG_INVALID.*maxTokens from 1 to 6/],
  ])('%s', async (_, change, message) => {
    await expect(createStarterEngine({ ...OPTIONS, ...change })).rejects.toThrow(message)
  })
})

it('the published schema: rank 8 on eight projections is 59,392 scalars of B, and the head 1,026 more', () => {
  const schema = starterSchema({ rank: 8, alpha: 8, headMode: 'trained', classes: 2 })
  expect(schema.layers.map(({ name }) => name)).toEqual([
    'encoder.layer.0.attention.qkv',
    'encoder.layer.0.attention.out',
    'encoder.layer.0.ffn.conv1',
    'encoder.layer.0.ffn.conv2',
    'encoder.layer.1.attention.qkv',
    'encoder.layer.1.attention.out',
    'encoder.layer.1.ffn.conv1',
    'encoder.layer.1.ffn.conv2',
  ])
  expect(schema.layers.reduce((sum, { dOut }) => sum + 8 * dOut, 0)).toBe(59_392)
  expect(schema.head.map(({ shape }) => shape)).toEqual([[2, 512], [2]])
})
