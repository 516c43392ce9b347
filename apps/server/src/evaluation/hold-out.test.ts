import { IGNORED } from '@fedsvd/engine/data'
import { describe, expect, it } from 'vitest'
import { baselineOf, measure, measureTokens, tokenBaselineOf } from './measure.ts'

const labelled = (...labels: number[]) => labels.map((label) => ({ label }))

describe('the measure on a hold-out', () => {
  it('counts the right labels and averages the cross-entropy', () => {
    // softmax([0, ln 3]) = [1/4, 3/4]; softmax([ln 9, 0]) = [9/10, 1/10]
    const logits = Float32Array.of(0, Math.log(3), Math.log(9), 0)
    const { accuracy, loss, records } = measure(logits, labelled(1, 1), 2)
    expect({ accuracy, records }).toEqual({ accuracy: 0.5, records: 2 })
    expect(loss).toBeCloseTo((-Math.log(3 / 4) - Math.log(1 / 10)) / 2, 6)
  })

  it('does not overflow, and does not depend on a shift of the logits', () => {
    const { loss, accuracy } = measure(Float32Array.of(1000, 1001, 1002), labelled(2), 3)
    expect(loss).toBeCloseTo(Math.log(1 + Math.exp(-1) + Math.exp(-2)), 5)
    expect(accuracy).toBe(1)
  })

  it('gives an untrained model, whose logits are equal, the lowest class and log(classes)', () => {
    const { accuracy, loss } = measure(new Float32Array(8), labelled(0, 0, 1, 0), 2)
    expect(accuracy).toBe(0.75)
    expect(loss).toBeCloseTo(Math.log(2), 6)
  })

  it('knows what guessing would reach', () => {
    expect(baselineOf(labelled(1, 1, 0, 1))).toEqual({ majority: 0.75, records: 4 })
  })
})

describe('the measure on tokens', () => {
  const record = (...targets: number[]) => ({
    tokenIds: new Int32Array(targets.length),
    targets: Int32Array.from(targets),
  })
  const records = [record(IGNORED, 3, 3), record(1, IGNORED)]

  it('counts every target the same, whatever the record, and passes over the ignored', () => {
    const scores = [
      { losses: Float32Array.of(0.5, 1), predicted: Int32Array.of(3, 2) },
      { losses: Float32Array.of(3), predicted: Int32Array.of(1) },
    ]
    expect(measureTokens(scores, records)).toEqual({ accuracy: 2 / 3, loss: 1.5, records: 2 })
  })

  it('knows what the most frequent target would reach', () => {
    expect(tokenBaselineOf(records)).toEqual({ majority: 2 / 3, records: 2 })
  })
})
