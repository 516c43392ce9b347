import { gaussianDelta, oneStepDelta } from '@fedsvd/testing/core/accounting/exact'
import { describe, expect, it } from 'vitest'
import { connectTheDots, type LossLattice } from './connect-the-dots.ts'

const CASES = [
  { sampleRate: 0.01, noiseMultiplier: 0.7, spacing: 1e-3 },
  { sampleRate: 1e-6, noiseMultiplier: 1, spacing: 1e-7 },
  { sampleRate: 0.002, noiseMultiplier: 0.2, spacing: 1e-2 },
  { sampleRate: 0.3, noiseMultiplier: 10, spacing: 1e-3 },
  { sampleRate: 0.999, noiseMultiplier: 1, spacing: 1e-2 },
  { sampleRate: 1 - 1e-9, noiseMultiplier: 0.8, spacing: 1e-2 },
  { sampleRate: 1, noiseMultiplier: 5, spacing: 1e-3 },
] as const

/** E[(1 - e^(epsilon - L))+] over the lattice, for removal under P or addition under Q. */
function hockeyStick({ mass, first, spacing, leftOut }: LossLattice, epsilon: number, sign: 1 | -1): number {
  return mass.reduce((sum, p, i) => {
    const loss = (first + i) * spacing
    const probability = sign > 0 ? p : p * Math.exp(-loss)
    return sum + probability * Math.max(0, -Math.expm1(epsilon - sign * loss))
  }, leftOut)
}

describe('connectTheDots', () => {
  it.each(CASES)('keeps the probability of both distributions: q $sampleRate, sigma $noiseMultiplier', (mechanism) => {
    const lattice = connectTheDots(mechanism, mechanism.spacing, -50)
    const underP = lattice.mass.reduce((sum, p) => sum + p, 0)
    const underQ = lattice.mass.reduce((sum, p, i) => sum + p * Math.exp(-(lattice.first + i) * mechanism.spacing), 0)
    expect(underP).toBeCloseTo(1, 12)
    expect(underQ).toBeCloseTo(1, 12)
    expect(lattice.mass.every((p) => p >= 0)).toBe(true)
  })

  it.each(CASES)(
    'meets the exact curve on the lattice and lies above it elsewhere: q $sampleRate, sigma $noiseMultiplier',
    (mechanism) => {
      const { sampleRate, noiseMultiplier, spacing } = mechanism
      const lattice = connectTheDots(mechanism, spacing, -60)
      for (const points of [0, 1, 7, 40, 200, 900]) {
        for (const between of [0, 0.37]) {
          const epsilon = (points + between) * spacing
          const exact =
            sampleRate === 1
              ? gaussianDelta(noiseMultiplier, epsilon)
              : oneStepDelta(sampleRate, noiseMultiplier, epsilon)
          if (exact < 1e-18) continue
          const bound = Math.max(hockeyStick(lattice, epsilon, 1), hockeyStick(lattice, epsilon, -1))
          expect(bound).toBeGreaterThanOrEqual(exact * (1 - 1e-8))
          if (between === 0) expect(bound).toBeLessThan(exact * (1 + 1e-8) + lattice.leftOut)
        }
      }
    },
  )

  it('counts what it leaves out: the true tail on either side is below it', () => {
    for (const logTail of [-5, -20, -60]) {
      const lattice = connectTheDots({ sampleRate: 0.1, noiseMultiplier: 1 }, 1e-2, logTail)
      const missing = 1 - lattice.mass.reduce((sum, p) => sum + p, 0)
      expect(lattice.leftOut).toBeGreaterThanOrEqual(missing - 1e-14)
      expect(lattice.leftOut).toBeCloseTo(Math.exp(logTail), 15)
    }
  })
})
