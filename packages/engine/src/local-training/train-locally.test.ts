import { type AdapterSchema, type AdapterState, trainedSpecs } from '@fedsvd/core/lora'
import { probabilitiesOf } from '@fedsvd/core/metrics'
import type { LabelledRecord } from '@fedsvd/engine/datasets'
import { sumOfLot, type TrainingEngine } from '@fedsvd/engine/training'
import { describe, expect, it } from 'vitest'
import { splitForValidation } from './split.ts'
import { trainLocally } from './train-locally.ts'

const WORDS = 6
const schema: AdapterSchema = {
  rank: 1,
  alpha: 1,
  layers: [{ name: 'layer', dIn: 1, dOut: 1 }],
  head: [{ name: 'head.weight', shape: [2, WORDS] }],
  headMode: 'trained',
}
const start: AdapterState = {
  basis: 0,
  a: [{ name: 'layer.lora_A.weight', shape: [1, 1], data: Float32Array.of(1) }],
  b: [{ name: 'layer.lora_B.weight', shape: [1, 1], data: Float32Array.of(1) }],
  head: [{ name: 'head.weight', shape: [2, WORDS], data: new Float32Array(2 * WORDS) }],
}

/** Logistic regression on which words a text has, times B: so that both B and the head have a gradient. */
function bagOfWords(): TrainingEngine {
  const features = (record: LabelledRecord) =>
    Float32Array.from({ length: WORDS }, (_, word) => Number(record.tokenIds.includes(word)))
  const scores = (record: LabelledRecord, { b, head }: AdapterState) => {
    const x = features(record)
    return [0, 1].map(
      (c) => b[0]!.data[0]! * x.reduce((sum, value, at) => sum + value * head[0]!.data[c * WORDS + at]!, 0),
    )
  }
  const gradient = (record: LabelledRecord, state: AdapterState) => {
    const logits = scores(record, state)
    const [p] = probabilitiesOf(Float32Array.from(logits), 2)
    const slope = [0, 1].map((c) => p![c]! - Number(c === record.label))
    const b = state.b[0]!.data[0]!
    const ofB = slope.reduce((sum, s, c) => sum + (s * logits[c]!) / b, 0)
    return [
      Float32Array.of(ofB),
      Float32Array.from(slope.flatMap((s) => Array.from(features(record), (x) => s * b * x))),
    ]
  }
  const all = (records: readonly unknown[]) => records as readonly LabelledRecord[]
  return {
    schema,
    verify: async () => {},
    rowsFor: () => 8,
    clippedLotSum: async (lot, state, clipNorm, options) =>
      await sumOfLot(
        lot,
        { specs: trainedSpecs(schema), clipNorm },
        {
          accepted: (record) => record,
          shapeOf: () => ({ rows: 8, length: 1, targets: 0 }),
          gradients: async (records) => all(records).map((record) => gradient(record, state)),
        },
        options,
      ),
    recordGradients: async () => [],
    logits: async (records, state) => Float32Array.from(all(records).flatMap((record) => scores(record, state))),
    features: async () => new Float32Array(0),
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Word 0 says the label, the others nothing. */
const records = (label: (at: number) => number): LabelledRecord[] =>
  Array.from({ length: 60 }, (_, at) => ({
    tokenIds: Int32Array.of(...(at % 2 === 0 ? [0] : []), 1 + (at % 5)),
    label: label(at),
  }))

const terms = {
  train: 'all',
  epochs: 10,
  batchSize: 8,
  learningRates: [2],
  clipNorm: 1,
  seed: 'a',
  classes: 2,
} as const

describe('training on the records of one machine', () => {
  const learnable = records((at) => at % 2)
  const parts = { training: learnable.slice(0, 40), validation: learnable.slice(40) }

  it('learns what the records say, and tells how well before and after', async () => {
    const told: number[] = []
    const { state, before, after, epochs } = await trainLocally(bagOfWords(), parts, start, terms, (epoch) =>
      told.push(epoch),
    )
    expect(before.loss).toBeCloseTo(Math.log(2), 6)
    expect(after.accuracy).toBe(1)
    expect(after.loss).toBeLessThan(0.2)
    expect(told).toEqual(Array.from({ length: epochs }, (_, at) => at + 1))
    expect(state.b[0]!.data).not.toEqual(start.b[0]!.data)
    expect(start.head[0]!.data.every((value) => value === 0)).toBe(true)
  })

  it('is the same for the same seed', async () => {
    const [one, other] = await Promise.all([1, 2].map(() => trainLocally(bagOfWords(), parts, start, terms)))
    expect(one).toEqual(other)
  })

  it('finds a learning rate among several', async () => {
    const { after } = await trainLocally(bagOfWords(), parts, start, { ...terms, learningRates: [1e-6, 2, 1e6] })
    expect(after.accuracy).toBe(1)
  })

  it('moves the head alone where it is told so', async () => {
    const { state, after } = await trainLocally(bagOfWords(), parts, start, { ...terms, train: 'head' })
    expect(state.b).toEqual(start.b)
    expect(after.accuracy).toBe(1)
  })

  it('keeps the start where no epoch does better on records that were not trained on', async () => {
    const misleading = { training: learnable.slice(0, 40), validation: records((at) => 1 - (at % 2)).slice(40) }
    const { state, before, after, epochs } = await trainLocally(bagOfWords(), misleading, start, terms)
    expect(state).toBe(start)
    expect(after).toEqual(before)
    expect(epochs).toBe(3)
  })

  it('stops where it is told to', async () => {
    const signal = AbortSignal.abort(new Error('told to stop'))
    await expect(trainLocally(bagOfWords(), parts, start, { ...terms, signal })).rejects.toThrow('told to stop')
  })
})

describe('the records kept for validation', () => {
  it('are the share that was asked for, another one for another seed, and no copy is on both sides', () => {
    const all = records((at) => at % 2)
    const { training, validation } = splitForValidation(all, 0.2, 'a')
    expect(training.length + validation.length).toBe(60)
    expect(validation.length).toBeGreaterThanOrEqual(12)
    expect(validation.length).toBeLessThan(24)
    const texts = (part: readonly LabelledRecord[]) => new Set(part.map(({ tokenIds }) => tokenIds.join(' ')))
    const [trained, validated] = [texts(training as LabelledRecord[]), texts(validation as LabelledRecord[])]
    expect([...validated].filter((text) => trained.has(text))).toEqual([])
    expect(splitForValidation(all, 0.2, 'a')).toEqual({ training, validation })
    expect(splitForValidation(all, 0.2, 'b')).not.toEqual({ training, validation })
  })
})
