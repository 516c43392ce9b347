import { describe, expect, it } from 'vitest'
import { estimate, pairedDifference, tQuantile, tWithin } from './statistics.ts'

describe('the statistics of an experiment', () => {
  it('have the quantiles of the printed tables', () => {
    // Student's t at 0.975, as every table has them
    const printed = [
      [1, 12.706],
      [2, 4.303],
      [3, 3.182],
      [4, 2.776],
      [5, 2.571],
      [9, 2.262],
      [10, 2.228],
      [19, 2.093],
      [20, 2.086],
      [120, 1.98],
    ] as const
    for (const [degrees, value] of printed) expect(tQuantile(0.975, degrees)).toBeCloseTo(value, 3)
    expect(tWithin(0, 7)).toBe(0)
  })

  it('give a mean and its standard error', () => {
    // deviations -1, 0, 1: variance 1, over 3 values
    expect(estimate([1, 2, 3])).toEqual({ mean: 2, standardError: Math.sqrt(1 / 3), count: 3 })
    expect(estimate([5])).toEqual({ mean: 5, count: 1 })
  })

  it('pair what was run under the same seed', () => {
    // differences 1, 2, 3 although the values themselves lie far apart
    const { mean, interval } = pairedDifference([101, 2, 53], [100, 0, 50])
    expect(mean).toBe(2)
    expect(interval![0]).toBeCloseTo(2 - 4.3027 * Math.sqrt(1 / 3), 3)
    expect(interval![1]).toBeCloseTo(2 + 4.3027 * Math.sqrt(1 / 3), 3)
    expect(pairedDifference([2], [1])).toEqual({ mean: 1, count: 1 })
  })
})
