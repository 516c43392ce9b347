import { FedsvdError } from '@fedsvd/core/errors'
import { trainedSpecs } from '@fedsvd/core/lora'
import { beginClippedSum } from '@fedsvd/core/privacy'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { createStarterEngine } from '@fedsvd/starter'
import { TINY_ENCODER, tinyCheckpoint } from '@fedsvd/testing/core/models'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditEngine } from './engine-audit.ts'
import { madeUpTexts } from './engine-canaries.ts'

const LABELS = 256
const SETTINGS = { epsilon: 6, delta: 1e-5, clipNorm: 1, confidence: 0.95, labels: LABELS, perLabel: 1 }

let engine: TrainingEngine
beforeAll(async () => {
  engine = await createStarterEngine({
    rank: 1,
    alpha: 1,
    headMode: 'trained',
    classes: LABELS,
    maxTokens: TINY_ENCODER.maxTokens,
    featureScale: 10,
    threads: 1,
    encoder: { config: TINY_ENCODER, checkpoint: tinyCheckpoint() },
  })
})
afterAll(async () => await engine[Symbol.asyncDispose]())

const audit = (audited: TrainingEngine, changes: Partial<typeof SETTINGS> = {}) => {
  const texts = madeUpTexts(2 * LABELS * SETTINGS.perLabel, TINY_ENCODER.vocabularySize)
  return auditEngine(audited, texts, { ...SETTINGS, ...changes })
}

type LotSum = TrainingEngine['clippedLotSum']
const withSum = (clippedLotSum: LotSum): TrainingEngine => ({ ...engine, clippedLotSum })

/** Adds every record `times` times over: what a clip that is off lets one record do. */
const louder = (times: number): LotSum => {
  return (lot, ...rest) => {
    const members = Uint32Array.from(
      { length: times * lot.members.length },
      (_, i) => lot.members[Math.floor(i / times)]!,
    )
    return engine.clippedLotSum({ ...lot, members }, ...rest)
  }
}

/** Clips a little too late: what rounding in the norm lets one record do. */
const sixPercentLouder: LotSum = async ({ records, members }, state, clipNorm) => {
  const sum = beginClippedSum({ specs: trainedSpecs(engine.schema), clipNorm })
  const lot = [...members].map((position) => records.read(position))
  for (const { gradient } of await engine.recordGradients(lot, state)) {
    sum.add(gradient)
    const norm = Math.sqrt(gradient.reduce((all, part) => all + part.reduce((s, x) => s + x * x, 0), 0))
    const more = (0.06 * clipNorm) / norm
    if (Number.isFinite(more)) sum.add(gradient.map((part) => part.map((value) => more * value)))
  }
  return sum.finish()
}

/** Fails a step over a record: what an aborted round tells. */
const failsOverARecord: LotSum = async (lot, state, clipNorm, options) => {
  const sum = await engine.clippedLotSum(lot, state, clipNorm, options)
  if (sum.leftOut === 0) return sum
  throw new FedsvdError('NOT_FINITE', { expected: 'finite gradients', got: 'others', remedy: 'None.' })
}

describe('an audit through the engine', () => {
  it('lets the real one pass, and says what was measured', async () => {
    const report = await audit(engine)
    expect(report).toMatchObject({ exceeded: false, canaries: 256, plans: 2, event: { steps: 1, sampleRate: 1 } })
    expect(report.epsilonUpperBound).toBeCloseTo(6, 1)
    expect(report.epsilonLowerBoundOfFamily).toBeLessThan(6)
    expect(report.epsilonLowerBoundOfFamily).toBeGreaterThanOrEqual(report.epsilonLowerBound)
    // A lone guess is right with a chance of 0.747 at this epsilon; five standard deviations on either side.
    expect(report.knowingOthers.guesses).toBe(256)
    expect(report.knowingOthers.correct / 256).toBeGreaterThan(0.6)
    expect(report.knowingOthers.correct / 256).toBeLessThan(0.9)
    expect(report.epsilonLowerBoundIfIndependent).toBeGreaterThanOrEqual(report.epsilonLowerBoundOfFamily)
    expect(report.probes.largestShare).toBeGreaterThan(0.9)
    expect(report.probes.largestShare).toBeLessThanOrEqual(1)
    expect(report.probes.answersWhateverTheRecord).toBe(true)
  })

  it('sees a clip that is off, in the guesses and at a single record', async () => {
    // With so few canaries only a smaller claim can be refuted by guessing.
    const report = await audit(withSum(louder(20)), { epsilon: 1 })
    expect(report.exceeded).toBe(true)
    expect(report.pValue).toBeLessThan(0.05)
    expect(report.probes.largestShare).toBeGreaterThan(100)
  })

  it('sees a clip that falls short by a few percent, at a single record', async () => {
    const report = await audit(withSum(sixPercentLouder))
    expect(report.exceeded).toBe(true)
    expect(report.probes.largestShare).toBeGreaterThan(1.1)
  })

  it('sees a step that a single record can stop', async () => {
    const report = await audit(withSum(failsOverARecord))
    expect(report).toMatchObject({ exceeded: true, probes: { answersWhateverTheRecord: false } })
  })
})
