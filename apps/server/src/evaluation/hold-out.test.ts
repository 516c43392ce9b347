import { IGNORED } from '@fedsvd/engine/datasets'
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

  it('computes the accuracy of the majority-class baseline', () => {
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

  /*
   * By hand, with O = 0, PER = 1, LOC = 2:
   *
   *   target     O  PER  PER  LOC  |  O    LOC
   *   predicted  O  PER  O    PER  |  LOC  LOC
   *
   * PER: TP 1, FP 1 (for LOC), FN 1 (as O). LOC: TP 1, FP 1 (for O), FN 1 (as PER). Together 2, 2 and 2, so precision
   * and recall are 1/2 and F1 is 1/2. Three of six words are right.
   */
  it('gives tags the F1 over all labels but O', () => {
    const losses = new Float32Array(4)
    const scores = [
      { losses, predicted: Int32Array.of(0, 1, 0, 1) },
      { losses, predicted: Int32Array.of(2, 2) },
    ]
    const tagged = [record(0, 1, 1, 2), record(IGNORED, 0, 2)]
    expect(measureTokens(scores, tagged, ['O', 'PER', 'LOC'])).toMatchObject({ accuracy: 0.5, microF1: 0.5 })
    // whatever number O has: here O and LOC have changed places
    const moved = (value: number) => (value === 1 ? 1 : 2 - value)
    const renamed = [record(2, 1, 1, 0), record(IGNORED, 2, 0)]
    const same = scores.map(({ predicted }) => ({ losses, predicted: predicted.map(moved) }))
    expect(measureTokens(same, renamed, ['LOC', 'PER', 'O'])).toMatchObject({ accuracy: 0.5, microF1: 0.5 })
  })

  it('has no F1 where there is no O, or nothing but O', () => {
    const scores = [{ losses: new Float32Array(2), predicted: Int32Array.of(0, 0) }]
    expect(measureTokens(scores, [record(0, 0)], ['O', 'PER'])).not.toHaveProperty('microF1')
    expect(measureTokens(scores, [record(0, 1)], ['PER', 'LOC'])).not.toHaveProperty('microF1')
    expect(measureTokens(scores, [record(0, 1)], ['O', 'PER'])).toMatchObject({ accuracy: 0.5, microF1: 0 })
  })

  it('computes the accuracy of always predicting the most frequent target', () => {
    expect(tokenBaselineOf(records)).toEqual({ majority: 2 / 3, records: 2 })
  })
})
