import { describe, expect, it } from 'vitest'
import { updateNormBound } from './norm-bound.ts'

/** 9 trained numbers: B of 3 x 1, and a head of 4 + 2. */
const RUN = {
  adapter: {
    rank: 1,
    alpha: 1,
    layers: [{ name: 'layer', dIn: 2, dOut: 3 }],
    head: [
      { name: 'head.weight', shape: [2, 2] },
      { name: 'head.bias', shape: [2] },
    ],
    headMode: 'trained',
  },
  clipNorm: 1.5,
  learningRate: 0.1,
  momentum: 0,
  localSteps: 5,
  expectedLotSize: 10,
} as const
const bound = (noiseMultiplier: number, changes: Partial<typeof RUN | { momentum: number; clipNorm: number }> = {}) =>
  updateNormBound({ ...RUN, ...changes }, { noiseMultiplier })

describe('the bound on the norm of an update', () => {
  it('is above what clipping and noise make, and not ten times as much', () => {
    const ofRecords = RUN.learningRate * RUN.localSteps * RUN.clipNorm // lots as expected, all records alike
    expect(bound(0.01)).toBeGreaterThan(ofRecords)
    expect(bound(0.01)).toBeLessThan(10 * ofRecords)
    const ofNoise = (noise: number) =>
      (RUN.learningRate / RUN.expectedLotSize) * noise * RUN.clipNorm * Math.sqrt(RUN.localSteps * 9)
    expect(bound(1000)).toBeGreaterThan(ofNoise(1000))
    expect(bound(1000)).toBeLessThan(10 * ofNoise(1000))
  })

  it('is in proportion to the clip norm, and grows with the momentum', () => {
    expect(bound(2, { clipNorm: 3 })).toBeCloseTo(2 * bound(2), 9)
    expect(bound(2, { momentum: 0.9 })).toBeCloseTo(10 * bound(2), 9)
  })
})
