import { describe, expect, it } from 'vitest'
import { calibrateNoiseMultiplier } from './calibrate.ts'
import { pld } from './pld.ts'
import { roundsWithSpares, scheduledSteps } from './spare-steps.ts'

describe('the steps that noise is calibrated for', () => {
  it.each([
    [1, 1, 2],
    [12, 1, 13],
    [10, 5, 51],
    [12, 5, 62],
    [100, 10, 1020],
  ])('of %i rounds of %i steps are %i', (rounds, localSteps, steps) => {
    expect(scheduledSteps({ rounds, localSteps })).toBe(steps)
    expect(roundsWithSpares(steps, localSteps)).toBe(rounds)
    expect(roundsWithSpares(steps - 1, localSteps)).toBe(rounds - 1)
  })

  it('cost about a hundredth more noise than those of the rounds alone', () => {
    const noise = (steps: number): number =>
      calibrateNoiseMultiplier({ epsilon: 6, delta: 1e-5, sampleRate: 0.1, steps, accountant: pld })
    expect(noise(62) / noise(60)).toBeGreaterThan(1)
    expect(noise(62) / noise(60)).toBeLessThan(1.015)
  })
})
