import { describe, expect, it } from 'vitest'
import { type AdapterState, initialState, trainedSpecs, trainedTensors } from '../../packages/core/src/lora/index.ts'
import { type Checkpoint, encoderConfig } from '../../packages/core/src/models/index.ts'
import {
  beginPrivateRound,
  type ClippedSum,
  GRID_BITS,
  reservationFrom,
  squaredBound,
} from '../../packages/core/src/privacy/index.ts'
import { seededSource } from '../../packages/core/src/random/index.ts'
import { sizeOf, type TensorSpec } from '../../packages/core/src/tensor/index.ts'
import { recordsInMemory } from '../../packages/engine/src/datasets/index.ts'
import {
  createEncoderEngine,
  type EncodedRecord,
  encoderSchema,
  type PrivateEngine,
} from '../../packages/engine/src/training/index.ts'
import { type Lot, lotOfAll } from '../../packages/engine/src/training/lots/index.ts'
import { createStarterEngine } from '../../packages/starter/src/index.ts'
import { TINY_ENCODER, tinyCheckpoint, waveNamed } from '../../packages/testing/src/core/models/index.ts'

/*
 * A coordinator writes the state, the head, the clip norm and the scale of the features. Whatever it writes, one record
 * moves the sum of a lot by no more than the sensitivity that the noise is scaled to, and no record decides whether
 * there is a sum.
 */

const TINY = {
  rank: 2,
  alpha: 2,
  classes: 2,
  threads: 1,
  encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
} as const

const record = (ids: readonly number[], label = 0): EncodedRecord => ({ tokenIds: Int32Array.from(ids), label })
const lotOf = (...records: readonly EncodedRecord[]): Lot => lotOfAll(recordsInMemory(records))

const filled = (state: AdapterState, amplitude: number): AdapterState => ({
  ...state,
  b: state.b.map((spec, at) => waveNamed(at, spec, amplitude)),
})

const dimensionOf = (specs: readonly TensorSpec[]) => specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** How often the sensitivity of the noise fits into what a lot adds up to: for one record at most once. */
function sensitivitiesIn({ gridSum }: ClippedSum, engine: PrivateEngine): number {
  const squares = gridSum.reduce((sum, part) => sum + part.reduce((inner, value) => inner + value * value, 0), 0)
  return Math.sqrt(squares / squaredBound({ dimension: dimensionOf(trainedSpecs(engine.schema)), gridBits: GRID_BITS }))
}

describe('a clip that vanishes in float32', () => {
  it.each([1e-18, 1e-30, 1e-38, 1e-60])(
    'clip norm %d, with a frozen head scaled so that squares underflow',
    async (clipNorm) => {
      await using engine = await createStarterEngine({ ...TINY, headMode: 'frozen' })
      const state = filled(initialState(engine.schema, { seed: 'attack' }), 0.3)
      for (const scale of [1, 1e-15, 1e-20, 1e-23, 1e-30, 1e-37]) {
        const head = state.head.map((spec, at) => waveNamed(100 + at, spec, scale))
        const sum = await engine.clippedLotSum(lotOf(record([1, 2, 3])), { ...state, head }, clipNorm)
        expect(sensitivitiesIn(sum, engine), `a head of ${scale}`).toBeLessThanOrEqual(1)
      }
    },
  )
})

describe('a clip that falls short in float32', () => {
  it('a head of 768 x 768: its record is within the sensitivity, and an honest one is not left out', async () => {
    const config = {
      model_type: 'roberta',
      vocab_size: 11,
      hidden_size: 768,
      intermediate_size: 32,
      num_hidden_layers: 1,
      num_attention_heads: 12,
      max_position_embeddings: 34,
      type_vocab_size: 1,
      pad_token_id: 1,
      layer_norm_eps: 1e-5,
      hidden_act: 'gelu',
    }
    const checkpoint = { config, tensors: async () => robertaOf(config) }
    const terms = { rank: 2, alpha: 2, classes: 2, headMode: 'trained' } as const
    const schema = encoderSchema(encoderConfig(config), terms)
    await using engine = await createEncoderEngine(checkpoint, { schema, classes: 2, threads: 1 })
    const state = filled(initialState(schema, { seed: 'attack' }), 0.05)
    const head = schema.head.map((spec, at) => waveNamed(100 + at, spec, 0.02))
    const lot = lotOf(record([1, 2, 3, 4, 5]))
    const sum = await engine.clippedLotSum(lot, { ...state, head }, 1e-3)
    expect(sum.leftOut).toBe(0)
    expect(sensitivitiesIn(sum, engine)).toBeLessThanOrEqual(1)
    expect(sensitivitiesIn(sum, engine)).toBeGreaterThan(0.99)
  })
})

describe('silence as an oracle', () => {
  it('a state that makes one record overflow, and no other: both lots are noised, and the record counts as zeros', async () => {
    const [target, other] = [record([1, 2, 3]), record([4, 5], 1)]
    await using engine = await createStarterEngine({ ...TINY, headMode: 'trained', featureScale: 1e6 })
    const state = filled(initialState(engine.schema, { seed: 'attack' }), 0.3)
    const features = await engine.features([target, other], state)
    const [weight, bias] = state.head
    const head = [{ ...weight!, data: orthogonal(features, weight!.shape[1]!) }, bias!]
    const crafted = { ...state, head }
    const specs = trainedSpecs(engine.schema)

    const [withTarget, without, alone] = [
      await engine.clippedLotSum(lotOf(other, target, other), crafted, 1),
      await engine.clippedLotSum(lotOf(other, other), crafted, 1),
      await engine.clippedLotSum(lotOf(target), crafted, 1),
    ]
    expect([withTarget.leftOut, without.leftOut, alone.leftOut]).toEqual([1, 0, 1])
    expect(withTarget.gridSum).toEqual(without.gridSum)
    expect(alone.gridSum.every((tensor) => tensor.every((value) => value === 0))).toBe(true)
    for (const sum of [withTarget, without, alone]) {
      const round = privateRound(specs, crafted, engine)
      round.drawLot(3)
      await round.step(sum)
      expect(round.stepsDone).toBe(1)
      expect((await round.finish()).tensors.every(({ data }) => data.every(Number.isFinite))).toBe(true)
    }
  })

  it('malformed records are zeros, in every lot', async () => {
    await using engine = await createStarterEngine({ ...TINY, headMode: 'trained' })
    const state = filled(initialState(engine.schema, { seed: 'attack' }), 0.3)
    const bad = [record([]), record([99]), record([1], 7), { tokenIds: Int32Array.of(1), targets: Int32Array.of(0) }]
    const sum = await engine.clippedLotSum(lotOf(...bad, record([1, 2])), state, 1)
    expect([sum.records, sum.leftOut]).toEqual([5, 4])
    expect(sum.gridSum).toEqual((await engine.clippedLotSum(lotOf(record([1, 2])), state, 1)).gridSum)
  })
})

/** A head [2, width] whose first logit overflows for the first row of features, and not for the second. */
function orthogonal(features: Float32Array, width: number): Float32Array {
  const [target, other] = [features.subarray(0, width), features.subarray(width, 2 * width)]
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * b[at]!, 0)
  const share = dot(target, other) / dot(other, other)
  // a little against the second row: its logit is large, negative and finite, so that its loss and its gradient vanish
  const direction = target.map((value, at) => value - (share + 1e-5) * other[at]!)
  const largest = Math.max(...direction.map(Math.abs))
  const weight = new Float32Array(2 * width)
  weight.set(direction.map((value) => (3e36 * value) / largest))
  return weight
}

function privateRound(specs: readonly TensorSpec[], state: AdapterState, { schema }: PrivateEngine) {
  const terms = { clipNorm: 1, noiseMultiplier: 1, sampleRate: 0.5, steps: 1 }
  const event = {
    mechanism: 'poisson-subsampled-gaussian',
    relation: 'add-or-remove-one',
    unit: 'record',
    ...terms,
  } as const
  const place = { runId: 'run', round: 0, attempt: 0, datasetFingerprint: 'data', entryHash: 'hash', durable: true }
  return beginPrivateRound({
    ...terms,
    specs,
    start: trainedTensors(schema, state),
    learningRate: 0.1,
    expectedLotSize: 2,
    reservation: reservationFrom({ ...place, event }),
    source: seededSource('attack'),
  })
}

function robertaOf(config: Record<string, number | string>): Checkpoint {
  const [width, inner] = [config.hidden_size as number, config.intermediate_size as number]
  const layer = 'roberta.encoder.layer.0'
  const specs: TensorSpec[] = [
    { name: 'roberta.embeddings.word_embeddings.weight', shape: [config.vocab_size as number, width] },
    { name: 'roberta.embeddings.position_embeddings.weight', shape: [config.max_position_embeddings as number, width] },
    { name: 'roberta.embeddings.token_type_embeddings.weight', shape: [1, width] },
    ...['query', 'key', 'value'].map((part) => ({
      name: `${layer}.attention.self.${part}.weight`,
      shape: [width, width],
    })),
    ...['query', 'key', 'value'].map((part) => ({ name: `${layer}.attention.self.${part}.bias`, shape: [width] })),
    { name: `${layer}.attention.output.dense.weight`, shape: [width, width] },
    { name: `${layer}.attention.output.dense.bias`, shape: [width] },
    { name: `${layer}.intermediate.dense.weight`, shape: [inner, width] },
    { name: `${layer}.intermediate.dense.bias`, shape: [inner] },
    { name: `${layer}.output.dense.weight`, shape: [width, inner] },
    { name: `${layer}.output.dense.bias`, shape: [width] },
    ...['roberta.embeddings', `${layer}.attention.output`, `${layer}.output`].flatMap((name) => [
      { name: `${name}.LayerNorm.weight`, shape: [width] },
      { name: `${name}.LayerNorm.bias`, shape: [width] },
    ]),
  ]
  return new Map(specs.map((spec, at) => [spec.name, waveNamed(at, spec, spec.name.includes('LayerNorm') ? 1 : 0.05)]))
}
