import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluationFigures } from './figures.ts'
import { BOUND, countsOf, evaluationLayout, type Prediction, vectorOfUnit } from './layout.ts'
import { evaluationsIn, eventOfEvaluation, isEvaluationRound, scheduledEvaluations } from './schedule.ts'

const two = evaluationLayout({ task: 'sequence-classification', labels: ['ham', 'spam'] })
const many = evaluationLayout({ task: 'sequence-classification', labels: Array.from({ length: 12 }, (_, n) => `${n}`) })
const tokens = evaluationLayout({ task: 'causal-lm', labels: [] })
const squares = (vector: ArrayLike<number>): number => Array.from(vector).reduce((sum, value) => sum + value * value, 0)

describe('the vector of a unit', () => {
  it('is worked out by hand', () => {
    const vector = vectorOfUnit(two, [{ target: 1, predicted: 0, confidence: 0.95, loss: Math.log(2) }])
    // outcomes: ham-ham, ham-spam, spam-ham, spam-spam; twenty cells of bins; loss at half of its cap of 2 log 2
    expect([...vector.subarray(0, 4)]).toEqual([0, 0, 768, 0])
    expect([...vector.subarray(4, 24)].indexOf(256)).toBe(18) // last bin, wrong
    expect(vector[24]).toBe(96)
    expect(countsOf(two, vector)).toMatchObject({ outcomes: [0, 0, 1, 0], loss: Math.log(2) })
  })

  it('is the average of its records: a person with many weighs as much as one with one', () => {
    const right: Prediction = { target: 0, predicted: 0, confidence: 1, loss: 0 }
    const wrong: Prediction = { target: 1, predicted: 0, confidence: 1, loss: 99 }
    expect([...vectorOfUnit(two, [right, right, wrong]).subarray(0, 4)]).toEqual([512, 0, 256, 0])
    expect([...vectorOfUnit(two, [])]).toEqual(Array(25).fill(0))
  })

  it('is never outside the bound, whatever is predicted, and reaches it', () => {
    const prediction = (classes: number) =>
      fc.record({
        target: fc.nat(classes - 1),
        predicted: fc.nat(classes - 1),
        confidence: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(Number.NaN)),
        loss: fc.oneof(fc.double({ min: 0, noNaN: true }), fc.constantFrom(Number.POSITIVE_INFINITY, -1)),
      })
    for (const [layout, classes] of [
      [two, 2],
      [many, 12],
      [tokens, 50_000],
    ] as const) {
      fc.assert(
        fc.property(fc.array(prediction(classes), { maxLength: 7 }), (predictions) => {
          const vector = vectorOfUnit(layout, predictions)
          expect(vector).toHaveLength(layout.cells)
          expect(squares(vector.map((value) => (Number.isNaN(value) ? 0 : value)))).toBeLessThanOrEqual(BOUND ** 2)
        }),
      )
    }
    expect(squares(vectorOfUnit(two, [{ target: 0, predicted: 1, confidence: 1, loss: 1e9 }]))).toBe(BOUND ** 2)
  })

  it('says of many classes only whether they were right', () => {
    expect(many).toMatchObject({ rows: 12, columns: 2, isConfusion: false, cells: 45 })
    const vector = vectorOfUnit(many, [{ target: 3, predicted: 3, confidence: 0.5, loss: 0 }])
    expect(vector[6]).toBe(768)
    expect(tokens).toMatchObject({ rows: 1, columns: 2, bins: 0, cells: 3 })
  })
})

describe('the figures of noised counts', () => {
  const unit = (target: number, predicted: number) =>
    vectorOfUnit(two, [{ target, predicted, confidence: 0.75, loss: 0.5 }])
  const sumOf = (vectors: readonly Float64Array[]) => vectors.reduce((a, b) => a.map((value, cell) => value + b[cell]!))
  const site = sumOf([...Array(60).fill(unit(0, 0)), ...Array(10).fill(unit(0, 1)), ...Array(30).fill(unit(1, 1))])

  it('are those of the counts where there is next to no noise', () => {
    const figures = evaluationFigures(two, [site, site], 1e-9)
    expect(figures).toMatchObject({ units: 200, accuracy: 0.9, majority: 0.7 })
    expect(figures.classes).toEqual([
      { units: 140, right: 120 },
      { units: 60, right: 60 },
    ])
    expect(figures.confusion).toEqual([
      [120, 20],
      [0, 60],
    ])
    expect(figures.loss).toBeCloseTo(0.5, 1)
    expect(figures.calibrationError).toBeCloseTo(0.15, 10)
    expect(figures.interval.high - figures.interval.low).toBeCloseTo(2 * 1.96 * Math.sqrt((0.9 * 0.1) / 200), 4)
  })

  it('have an interval that holds the accuracy in 95 of 100 draws, and not in nearly all', () => {
    // deterministic draws: units by a coin of 0.8, noise by a sum of twelve uniforms
    let state = 12345
    const uniform = (): number => {
      state = (state * 1103515245 + 12345) % 2 ** 31
      return state / 2 ** 31
    }
    const gaussian = (): number => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b, 0) - 6
    const noiseMultiplier = 4
    let held = 0
    for (let draw = 0; draw < 1000; draw++) {
      const exact = new Float64Array(two.cells)
      for (let at = 0; at < 150; at++) exact[uniform() < 0.8 ? 0 : 1]! += 768
      const noised = exact.map((value) => value + gaussian() * noiseMultiplier * BOUND)
      const { low, high } = evaluationFigures(two, [noised], noiseMultiplier).interval
      held += Number(low <= 0.8 && 0.8 <= high)
    }
    expect(held).toBeGreaterThan(930)
    expect(held).toBeLessThan(975)
  })

  it('of nothing but noise below zero are none', () => {
    const figures = evaluationFigures(two, [new Float64Array(two.cells).fill(-5000)], 1)
    expect(figures).toMatchObject({ units: 0, accuracy: 0, interval: { low: 0, high: 1 }, majority: 0 })
  })
})

describe('the schedule of evaluations', () => {
  const run = (rounds: number, every: number) => ({ rounds, siteEvaluation: { share: 0.1, every, noiseMultiplier: 3 } })
  const roundsOf = (rounds: number, every: number) =>
    Array.from({ length: rounds + 3 }, (_, round) => round).filter((round) =>
      isEvaluationRound(run(rounds, every), round),
    )

  it('is fixed by the manifest: every so many rounds and the last one, never the first, none beyond the plan', () => {
    expect(roundsOf(7, 2)).toEqual([2, 4, 6])
    expect(roundsOf(6, 2)).toEqual([2, 4, 5])
    expect(roundsOf(4, 100)).toEqual([3])
    expect(roundsOf(1, 1)).toEqual([])
    expect(isEvaluationRound({ rounds: 7 }, 2)).toBe(false)
  })

  it('is counted as it is asked', () => {
    for (let rounds = 1; rounds < 14; rounds++) {
      for (let every = 1; every < 6; every++) {
        for (let end = 0; end <= rounds + 2; end++) {
          const counted = roundsOf(rounds, every).filter((round) => round < end).length
          expect(evaluationsIn(run(rounds, every), end)).toBe(counted)
        }
      }
    }
    expect(scheduledEvaluations(run(7, 2))).toBe(4)
    expect(scheduledEvaluations(run(1, 1))).toBe(0)
  })

  it('costs a Gaussian over all that are set aside', () => {
    expect(eventOfEvaluation({ ...run(7, 2), unit: { kind: 'person' } })).toMatchObject({
      sampleRate: 1,
      noiseMultiplier: 3,
      steps: 1,
      unit: 'person',
    })
  })
})
