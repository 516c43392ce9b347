import { type AdapterState, initialState } from '@fedsvd/core/lora'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { createStarterEngine, starterSchema } from '@fedsvd/starter'
import { TINY_ENCODER, tinyCheckpoint } from '@fedsvd/testing/core/models'
import { lotOf } from '@fedsvd/testing/engine/training'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EncodedRecord, TrainingEngine } from './training-engine.ts'

const OPTIONS = {
  rank: 2,
  alpha: 2,
  headMode: 'trained',
  classes: 3,
  threads: 1,
  encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
} as const

const record = (ids: readonly number[], label = 0): EncodedRecord => ({ tokenIds: Int32Array.from(ids), label })

describe('bad input', () => {
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

  it.each<[string, () => { state?: AdapterState; clipNorm?: number }, RegExp]>([
    ['a clipNorm of 0', () => ({ clipNorm: 0 }), /NOISE_INVALID.*a clipNorm from/],
    ['a clipNorm of NaN', () => ({ clipNorm: Number.NaN }), /NOISE_INVALID/],
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
  ])('that is no record is refused with a code and leaves the engine usable: %s', async (_, change, message) => {
    const { state: given = state, clipNorm = 1 } = change()
    for (const records of [[record([1, 2])], []]) {
      await expect(engine.clippedLotSum(lotOf(records), given, clipNorm)).rejects.toThrow(message)
    }
    await expect(engine.clippedLotSum(lotOf([record([1, 2])]), state, 1)).resolves.toBeDefined()
  })

  const malformed: [string, EncodedRecord, RegExp][] = [
    ['without tokens', record([]), /DATA_EMPTY.*record 1/],
    ['of more tokens than the model reads', record([1, 1, 1, 1, 1, 1, 1]), /SHAPE_MISMATCH.*at most 6.*record 1/],
    ['with an id beyond the vocabulary', record([11]), /SHAPE_MISMATCH.*from 0 to 10/],
    ['with a negative id', record([1, -1]), /SHAPE_MISMATCH.*from 0 to 10/],
    ['with a label beyond the classes', record([1], 3), /LABEL_UNKNOWN.*0 to 2, got 3/],
    ['with a label that is not whole', record([1], 0.5), /LABEL_UNKNOWN/],
    ['of another task', { tokenIds: Int32Array.of(1), targets: Int32Array.of(1) }, /SHAPE_MISMATCH.*one label/],
  ]

  it.each(malformed)('a record %s contributes zeros and votes like one that was clipped', async (_, bad) => {
    const alone = await engine.clippedLotSum(lotOf([record([1, 2])]), state, 1000)
    const beside = await engine.clippedLotSum(lotOf([bad, record([1, 2]), bad]), state, 1000)
    expect(beside.gridSum).toEqual(alone.gridSum)
    expect([beside.records, beside.leftOut, beside.votes]).toEqual([3, 2, alone.votes - 2])
  })

  it.each(malformed)('a record %s is refused by name where gradients are asked for', async (_, bad, message) => {
    await expect(engine.recordGradients([record([1, 2]), bad], state)).rejects.toThrow(message)
  })

  it('a finite state whose logits overflow float32 makes every record zeros, and nothing throws', async () => {
    const head = state.head.map((spec) => ({ ...spec, data: spec.data.map(() => 3e38) }))
    const sum = await engine.clippedLotSum(lotOf([record([1, 2]), record([3], 1)]), { ...state, head }, 1)
    expect(sum.gridSum.every((tensor) => tensor.every((value) => value === 0))).toBe(true)
    expect([sum.records, sum.leftOut, sum.votes]).toEqual([2, 2, -2])
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
