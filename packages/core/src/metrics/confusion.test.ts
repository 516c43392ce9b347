import { describe, expect, it } from 'vitest'
import { confusionFigures, confusionOf } from './confusion.ts'
import { wilsonInterval } from './wilson-interval.ts'

/*
 *              predicted
 *              a  b  c
 *   class a    2  0  0
 *   class b    0  0  1
 *   class c    1  0  2
 *
 * a: TP 2, FP 1, FN 0: precision 2/3, recall 1, F1 = 4/5. b: never right, never predicted: no precision, recall 0,
 * F1 = 0. c: TP 2, FP 1, FN 1: all 2/3. Macro-F1 = (4/5 + 0 + 2/3) / 3 = 22/45. Four of six are right.
 */
const targets = [0, 1, 2, 2, 0, 2]
const predicted = [0, 2, 2, 2, 0, 0]

describe('figures of a confusion matrix', () => {
  const confusion = confusionOf(targets, predicted, 3)

  it('are those computed by hand', () => {
    expect(confusion).toEqual([
      [2, 0, 0],
      [0, 0, 1],
      [1, 0, 2],
    ])
    const { classes, macroF1, accuracy, majority, records } = confusionFigures(confusion)
    expect({ accuracy, majority, records }).toEqual({ accuracy: 4 / 6, majority: 3 / 6, records: 6 })
    expect(classes).toEqual([
      { precision: 2 / 3, recall: 1, f1: 4 / 5, support: 2 },
      { recall: 0, f1: 0, support: 1 },
      { precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 },
    ])
    expect(macroF1).toBeCloseTo(22 / 45, 12)
  })

  it('leave a class out of the macro-F1 that neither occurs nor is predicted', () => {
    const { classes, macroF1 } = confusionFigures(confusionOf([0, 0], [0, 0], 2))
    expect(classes[1]).toEqual({ support: 0 })
    expect(macroF1).toBe(1)
  })

  it('of nothing are no figures', () => {
    const empty = confusionFigures(confusionOf([], [], 2))
    expect(empty).toMatchObject({ records: 0, accuracy: 0, majority: 0, accuracyInterval: { low: 0, high: 1 } })
    expect(empty).not.toHaveProperty('macroF1')
  })

  it('take a noised count below zero for none', () => {
    const noised = confusionFigures([
      [3.5, -2],
      [-0.5, 0.5],
    ])
    expect(noised).toMatchObject({ records: 4, accuracy: 1, majority: 3.5 / 4, macroF1: 1 })
  })
})

describe('the interval of Wilson', () => {
  it('is the one that Newcombe (1998, Statistics in Medicine 17) prints', () => {
    const printed = ([low, high]: number[]) => ({
      low: expect.closeTo(low!, 4),
      high: expect.closeTo(high!, 4),
    })
    expect(wilsonInterval(81, 263)).toEqual(printed([0.2553, 0.3662]))
    expect(wilsonInterval(15, 148)).toEqual(printed([0.0624, 0.1605]))
    expect(wilsonInterval(0, 20)).toEqual(printed([0, 0.1611]))
    expect(wilsonInterval(1, 29)).toEqual(printed([0.0061, 0.1718]))
  })

  it('stays within [0, 1]', () => {
    expect(wilsonInterval(20, 20)).toEqual({ low: 1 - wilsonInterval(0, 20).high, high: 1 })
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 })
    expect(wilsonInterval(-1, 5).low).toBe(0)
  })
})
