import { describe, expect, it } from 'vitest'
import { largestShare, measureLogits, probabilitiesOf } from './logits.ts'

describe('the measure of logits', () => {
  it('counts the right labels and averages the cross-entropy', () => {
    // softmax([0, ln 3]) = [1/4, 3/4]; softmax([ln 9, 0]) = [9/10, 1/10]
    const logits = Float32Array.of(0, Math.log(3), Math.log(9), 0)
    const { accuracy, loss, records } = measureLogits({ logits, labels: [1, 1], classes: 2 })
    expect({ accuracy, records }).toEqual({ accuracy: 0.5, records: 2 })
    expect(loss).toBeCloseTo((-Math.log(3 / 4) - Math.log(1 / 10)) / 2, 6)
    const rows = probabilitiesOf(logits, 2)
    expect(rows[0]![1]).toBeCloseTo(3 / 4, 6)
    expect(rows[1]![0]).toBeCloseTo(9 / 10, 6)
  })

  it('does not overflow, and does not depend on a shift of the logits', () => {
    const { loss, accuracy } = measureLogits({ logits: Float32Array.of(1000, 1001, 1002), labels: [2], classes: 3 })
    expect(loss).toBeCloseTo(Math.log(1 + Math.exp(-1) + Math.exp(-2)), 5)
    expect(accuracy).toBe(1)
  })

  it('gives an untrained model, whose logits are equal, the lowest class and log(classes)', () => {
    const { accuracy, loss } = measureLogits({ logits: new Float32Array(8), labels: [0, 0, 1, 0], classes: 2 })
    expect(accuracy).toBe(0.75)
    expect(loss).toBeCloseTo(Math.log(2), 6)
  })

  it('computes the accuracy of the majority-class baseline', () => {
    expect(largestShare([1, 1, 0, 1])).toBe(0.75)
  })
})
