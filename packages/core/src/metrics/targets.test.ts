import { describe, expect, it } from 'vitest'
import { largestShare } from './logits.ts'
import { measureTargets, targetsOf } from './targets.ts'

const IGNORED = -100

describe('the measure of targets at tokens', () => {
  const two = [
    { targets: [IGNORED, 3, 3], losses: [0.5, 1], predicted: [3, 2] },
    { targets: [1, IGNORED], losses: [3], predicted: [1] },
  ]

  it('counts every target the same, whatever the record, and passes over the ignored', () => {
    expect(measureTargets(two)).toEqual({ accuracy: 2 / 3, loss: 1.5, records: 2 })
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
    const losses = [0, 0, 0, 0]
    const tagged = [
      { targets: [0, 1, 1, 2], losses, predicted: [0, 1, 0, 1] },
      { targets: [IGNORED, 0, 2], losses, predicted: [2, 2] },
    ]
    expect(measureTargets(tagged, ['O', 'PER', 'LOC'])).toMatchObject({ accuracy: 0.5, microF1: 0.5 })
    // whatever number O has: here O and LOC have changed places
    const moved = (value: number) => (value < 0 || value === 1 ? value : 2 - value)
    const renamed = tagged.map(({ targets, predicted }) => {
      return { targets: targets.map(moved), losses, predicted: predicted.map(moved) }
    })
    expect(measureTargets(renamed, ['LOC', 'PER', 'O'])).toMatchObject({ accuracy: 0.5, microF1: 0.5 })
  })

  it('has no F1 where there is no O, or nothing but O', () => {
    const measured = (targets: number[], tags: string[]) =>
      measureTargets([{ targets, losses: [0, 0], predicted: [0, 0] }], tags)
    expect(measured([0, 0], ['O', 'PER'])).not.toHaveProperty('microF1')
    expect(measured([0, 1], ['PER', 'LOC'])).not.toHaveProperty('microF1')
    expect(measured([0, 1], ['O', 'PER'])).toMatchObject({ accuracy: 0.5, microF1: 0 })
  })

  it('computes the accuracy of always predicting the most frequent target', () => {
    expect(largestShare(two.flatMap(({ targets }) => targetsOf(targets)))).toBe(2 / 3)
  })
})
