import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type AdapterState, specOfA, specOfB } from '@fedsvd/core/lora'
import { encoderConfig } from '@fedsvd/core/models'
import { gridOf } from '@fedsvd/core/privacy'
import { waveNamed } from '@fedsvd/testing/core/models'
import { type LotResult, lotResult } from '@fedsvd/testing/engine/training'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { createEncoderEngine, encoderSchema } from './encoder.ts'
import type { EncodedRecord, TrainingEngine } from './training-engine.ts'

/** Written by scripts/encoder_vectors.py: float64 autograd, one unpadded record at a time. */
interface Vectors {
  readonly rank: number
  readonly alpha: number
  readonly classes: number
  readonly featureScale: number
  readonly clipNorm: number
  readonly amplitudes: { readonly a: number; readonly b: number; readonly head: number }
  readonly targets: readonly string[]
  readonly layers: readonly string[]
  readonly head: readonly string[]
  readonly records: readonly { readonly tokenIds: number[]; readonly typeIds: number[]; readonly label: number }[]
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  readonly logits: readonly (readonly number[])[]
}

/** Agreement asked for, relative to the size of what is compared. */
const TOLERANCE = 1e-4

describe.each(['bert', 'roberta', 'xlm-roberta', 'distilbert'])('%s against PyTorch', (name) => {
  const folder = fileURLToPath(new URL(`vectors/encoders/${name}`, import.meta.url))
  let vectors: Vectors
  let gradients: Float32Array
  let engine: TrainingEngine
  let state: AdapterState
  let records: readonly EncodedRecord[]
  let lot: LotResult

  beforeAll(async () => {
    vectors = JSON.parse(await readFile(`${folder}/vectors.json`, 'utf8')) as Vectors
    gradients = new Float32Array(new Uint8Array(await readFile(`${folder}/gradients.f32`)).buffer)
    const { rank, alpha, classes, featureScale, targets, amplitudes } = vectors
    const checkpoint = await openCheckpoint(folder)
    const options = { rank, alpha, classes, targets, headMode: 'trained' } as const
    const schema = encoderSchema(encoderConfig(checkpoint.config), options)
    engine = await createEncoderEngine(checkpoint, { schema, classes, featureScale, threads: 1 })
    state = {
      basis: 0,
      a: schema.layers.map((layer, index) => waveNamed(2 * index, specOfA(schema, layer), amplitudes.a)),
      b: schema.layers.map((layer, index) => waveNamed(2 * index + 1, specOfB(schema, layer), amplitudes.b)),
      head: schema.head.map((spec, index) => waveNamed(100 + index, spec, amplitudes.head)),
    }
    records = vectors.records.map(({ tokenIds, typeIds, label }) => ({
      tokenIds: Int32Array.from(tokenIds),
      typeIds: Int32Array.from(typeIds),
      label,
    }))
    lot = await lotResult(engine, records, state, vectors.clipNorm)
  })
  afterAll(async () => await engine[Symbol.asyncDispose]())

  /** The gradient of record n by PyTorch, scaled to the clip norm where it is larger. */
  const clipped = (n: number): Float32Array => {
    const size = gradients.length / records.length
    const factor = Math.min(1, vectors.clipNorm / vectors.norms[n]!)
    return gradients.subarray(n * size, (n + 1) * size).map((value) => factor * value)
  }

  it('has the layers and the head of the checkpoint, in their order and under their names', () => {
    expect(engine.schema.layers.map((layer) => layer.name)).toEqual(vectors.layers)
    expect(engine.schema.head.map((spec) => spec.name)).toEqual(vectors.head)
  })

  it('logits', async () => {
    const expected = vectors.logits.flat()
    const largest = Math.max(...expected.map(Math.abs))
    const actual = await engine.logits(records, state)
    expect(actual).toHaveLength(expected.length)
    for (const [index, value] of expected.entries()) {
      expect(Math.abs(actual[index]! - value)).toBeLessThan(TOLERANCE * largest)
    }
  })

  it('losses and norms', () => {
    for (const [n, loss] of vectors.losses.entries()) {
      expect(Math.abs(lot.losses[n]! - loss)).toBeLessThan(TOLERANCE * Math.max(loss, 0.1))
      expect(Math.abs(lot.norms[n]! / vectors.norms[n]! - 1)).toBeLessThan(TOLERANCE)
    }
    expect(vectors.norms.filter((norm) => norm > vectors.clipNorm).length).toBeGreaterThan(0)
    expect(vectors.norms.filter((norm) => norm < vectors.clipNorm).length).toBeGreaterThan(0)
  })

  it('the clipped gradient of every record', async () => {
    const grid = gridOf(vectors.clipNorm)
    for (const [n, record] of records.entries()) {
      const { gridSum } = await lotResult(engine, [record], state, vectors.clipNorm)
      const actual = gridSum.flatMap((tensor) => [...tensor].map((integer) => integer * grid))
      const expected = clipped(n)
      expect(actual).toHaveLength(expected.length)
      const norm = Math.min(vectors.norms[n]!, vectors.clipNorm)
      expect(Math.hypot(...actual.map((value, at) => value - expected[at]!))).toBeLessThan(
        TOLERANCE * norm + 0.3 * grid * Math.sqrt(actual.length),
      )
    }
  })

  it('the clipped sum', () => {
    const grid = gridOf(vectors.clipNorm)
    const actual = lot.gridSum.flatMap((tensor) => [...tensor].map((integer) => integer * grid))
    const parts = records.map((_, n) => clipped(n))
    const expected = actual.map((_, at) => parts.reduce((sum, part) => sum + part[at]!, 0))
    const difference = Math.hypot(...actual.map((value, at) => value - expected[at]!))
    expect(difference).toBeLessThan(TOLERANCE * Math.hypot(...expected) + 0.7 * grid * Math.sqrt(actual.length))
  })

  it('is the same in another order, in other batches and at another padding, integer for integer', async () => {
    const backwards = await lotResult(engine, [...records].reverse(), state, vectors.clipNorm)
    expect(backwards.gridSum).toEqual(lot.gridSum)
    expect(backwards.norms.toReversed()).toEqual(lot.norms)
    const apart: LotResult[] = []
    for (const record of records) apart.push(await lotResult(engine, [record], state, vectors.clipNorm))
    const sum = lot.gridSum.map((tensor, index) =>
      tensor.map((_, at) => apart.reduce((total, one) => total + one.gridSum[index]![at]!, 0)),
    )
    expect(sum).toEqual(lot.gridSum)
    expect(Float32Array.from(apart, ({ losses }) => losses[0]!)).toEqual(lot.losses)
  })
})
