import { describe, expect, it } from 'vitest'
import { calibrationBins, expectedCalibrationError } from './calibration.ts'
import { classificationReport } from './classification-report.ts'

describe('calibration', () => {
  // five bins of 0.2: (0.4, 0.6] has two of which one is right, (0.8, 1] two of which both are
  const predictions = [
    { confidence: 0.5, isRight: true },
    { confidence: 0.6, isRight: false },
    { confidence: 0.9, isRight: true },
    { confidence: 1, isRight: true },
  ]

  it('sorts by confidence, each bin closed above', () => {
    expect(calibrationBins(predictions, 5).map(({ count, right }) => [count, right])).toEqual([
      [0, 0],
      [0, 0],
      [2, 1],
      [0, 0],
      [2, 2],
    ])
    expect(calibrationBins([{ confidence: 0, isRight: false }], 5)[0]!.count).toBe(1)
  })

  it('has the error that is computed by hand', () => {
    // |1 - 1.1| and |2 - 1.9|, over four predictions
    expect(expectedCalibrationError(calibrationBins(predictions, 5))).toBeCloseTo(0.05, 12)
    expect(expectedCalibrationError([])).toBe(0)
  })

  it('takes noised counts for what they can be', () => {
    const bins = [
      { count: -3, right: 2, confidenceSum: 1 },
      { count: 4, right: 5.5, confidenceSum: -1 },
    ]
    expect(expectedCalibrationError(bins)).toBe(1)
  })
})

describe('the report on a classifier', () => {
  it('has every figure of the same predictions', () => {
    // rows: 3/4 for b, 9/10 for a; both records are b
    const logits = Float32Array.of(0, Math.log(3), Math.log(9), 0)
    const report = classificationReport({ logits, labels: [1, 1], classes: 2 })
    expect(report).toMatchObject({ accuracy: 0.5, records: 2, majority: 1 })
    expect(report.confusion).toEqual([
      [0, 0],
      [1, 1],
    ])
    expect(report.loss).toBeCloseTo((-Math.log(3 / 4) - Math.log(1 / 10)) / 2, 6)
    // the one was sure of 3/4 and right, the other of 9/10 and wrong
    expect(report.calibration.expectedCalibrationError).toBeCloseTo((1 / 4 + 9 / 10) / 2, 6)
    expect(report.calibration.bins).toHaveLength(15)
  })
})
