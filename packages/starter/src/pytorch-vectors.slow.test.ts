import { readFile } from 'node:fs/promises'
import { type AdapterState, specOfA, specOfB } from '@fedsvd/core/lora'
import { gridOf } from '@fedsvd/core/privacy'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { waveNamed } from '@fedsvd/testing/core/models'
import { type LotResult, lotResult } from '@fedsvd/testing/engine/training'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createStarterEngine } from './engine.ts'

/** Written by scripts/starter_vectors.py: float64 autograd, one record at a time. */
interface Vectors {
  readonly rank: number
  readonly alpha: number
  readonly classes: number
  readonly featureScale: number
  readonly clipNorm: number
  readonly amplitudes: { readonly a: number; readonly b: number; readonly head: number }
  readonly records: readonly { readonly tokenIds: readonly number[]; readonly label: number }[]
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  readonly logits: readonly (readonly number[])[]
}

const file = (name: string) => new URL(`vectors/${name}`, import.meta.url)

describe.each(['onnxruntime', 'tfjs-wasm'] as const)('the private step on %s against PyTorch', (runtime) => {
  let vectors: Vectors
  let engine: TrainingEngine
  let lot: LotResult
  let logits: Float32Array

  beforeAll(async () => {
    vectors = JSON.parse(await readFile(file('starter.json'), 'utf8')) as Vectors
    const { rank, alpha, classes, featureScale, clipNorm, amplitudes } = vectors
    engine = await createStarterEngine({
      rank,
      alpha,
      classes,
      featureScale,
      headMode: 'trained',
      threads: 1,
      runtime,
      maxTokensPerMicroBatch: 64, // blank rows are slow on wasm
    })
    const { layers, head } = engine.schema
    const state: AdapterState = {
      basis: 0,
      a: layers.map((layer, index) => waveNamed(2 * index, specOfA(engine.schema, layer), amplitudes.a)),
      b: layers.map((layer, index) => waveNamed(2 * index + 1, specOfB(engine.schema, layer), amplitudes.b)),
      head: head.map((spec, index) => waveNamed(100 + index, spec, amplitudes.head)),
    }
    const records = vectors.records.map(({ tokenIds, label }) => ({ tokenIds: Int32Array.from(tokenIds), label }))
    lot = await lotResult(engine, records, state, clipNorm)
    logits = await engine.logits(records, state)
  })
  afterAll(async () => await engine[Symbol.asyncDispose]())

  it('some records are clipped and some are not', () => {
    const clipped = vectors.norms.filter((norm) => norm > vectors.clipNorm).length
    expect(clipped).toBeGreaterThan(0)
    expect(clipped).toBeLessThan(vectors.norms.length)
  })

  it('logits', () => {
    for (const [index, value] of vectors.logits.flat().entries())
      expect(Math.abs(logits[index]! - value)).toBeLessThan(2e-5)
  })

  it('losses', () => {
    for (const [index, value] of vectors.losses.entries())
      expect(Math.abs(lot.losses[index]! - value)).toBeLessThan(2e-5)
  })

  it('norms', () => {
    for (const [index, value] of vectors.norms.entries()) {
      expect(Math.abs(lot.norms[index]! / value - 1)).toBeLessThan(2e-5)
    }
  })

  it('the clipped sum of every trained tensor', async () => {
    const bytes = await readFile(file('starter-clipped-sum.f32'))
    const expected = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    const actual = lot.gridSum.flatMap((tensor) => [...tensor].map((integer) => integer * gridOf(vectors.clipNorm)))
    expect(actual).toHaveLength(expected.length)
    // per element: half a grid unit for each record; along the sum itself, where rounding averages out, float32 noise
    // only
    const tolerance = vectors.records.length * 0.5 * gridOf(vectors.clipNorm) + 2e-5
    for (const [index, value] of expected.entries()) {
      expect(Math.abs(actual[index]! - value)).toBeLessThan(tolerance)
    }
    const product = actual.reduce((sum, value, index) => sum + value * expected[index]!, 0)
    expect(Math.abs(product / expected.reduce((sum, value) => sum + value * value, 0) - 1)).toBeLessThan(1e-5)
  })
})
