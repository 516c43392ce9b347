import { describe, expect, it } from 'vitest'
import { calibrateNoiseMultiplier, pld } from '../accounting/index.ts'
import { epsilonsOfSums, eventsOfSums } from './sum-accounting.ts'
import { sumThresholds } from './thresholds.ts'
import { MOST_WRAP_AROUND, modulusFor, wrapAroundProbability } from './wrap-around.ts'

/** The terms of the demo, with the noise at which a site that is alone spends 6.06. */
const terms = { sampleRate: 0.0853, steps: 30, delta: 1e-5 }
const noiseMultiplier = calibrateNoiseMultiplier({ ...terms, epsilon: 6.06, accountant: pld })
const part = { sampleRate: terms.sampleRate, noiseMultiplier, steps: terms.steps }
const guarantee = { delta: terms.delta, dimension: 41_000, wrapAround: MOST_WRAP_AROUND, mostAttempts: 16 }

describe('what a site spends in secure sums', () => {
  it.each([
    [3, 0, 0, 2.03],
    [3, 1, 0, 2.95],
    [3, 0, 1, 2.95],
    [6, 0, 0, 1.16],
    [10, 0, 0, 0.81],
    [100, 0, 0, 0.2],
  ])(
    '%i sites, %i colluding, %i lost: epsilon %f against the coordinator',
    (sites, mostColluders, mostLost, epsilon) => {
      const thresholds = sumThresholds({ sites, mostColluders, mostLost })
      const spent = epsilonsOfSums(part, { ...guarantee, thresholds })
      expect(Math.abs(spent.againstCoordinator - epsilon)).toBeLessThan(0.011)
      // Whoever has the noise of all others, too, is left with the site's own.
      expect(Math.abs(spent.againstEveryone - 6.06)).toBeLessThan(0.011)
    },
  )

  it('is told as two events with one sample rate, whose noise differs by the root of the honest sites', () => {
    const { againstCoordinator, againstEveryone } = eventsOfSums(part, { honestInTheSum: 4 })
    expect(againstEveryone).toEqual(part)
    expect(againstCoordinator).toEqual({ ...part, noiseMultiplier: expect.closeTo(2 * noiseMultiplier, 12) })
  })

  it('counts what can fail beside the noise, and refuses what nothing is left for', () => {
    const thresholds = { honestInTheSum: 3, isComplete: true }
    const failing = { ...guarantee, thresholds, wrapAround: 3e-7 }
    const left = terms.delta - 30 * 3e-7
    expect(epsilonsOfSums(part, failing).againstEveryone).toBe(pld.epsilonUpperBound([part], left))
    expect(() => epsilonsOfSums(part, { ...failing, wrapAround: 1e-6 })).toThrow(/SUM_REFUSED/)
    const drawn = { ...guarantee, thresholds: { honestInTheSum: 60, isComplete: false }, delta: 1e-9 }
    // 30 sums of 16 attempts at 2^-39 each are 8.7e-10 of it.
    const { againstCoordinator } = epsilonsOfSums(part, drawn)
    const whole = epsilonsOfSums(part, { ...drawn, thresholds: { honestInTheSum: 60, isComplete: true } })
    expect(againstCoordinator).toBeGreaterThan(whole.againstCoordinator * 1.03)
  })
})

describe('the ring of a sum', () => {
  const demo = { sites: 3, expectedLots: 3 * 128, noiseMultiplier: 0.6, dimension: 41_000 }

  it('has 32 bits where lots are small, and 64 where they are not', () => {
    expect(modulusFor(demo)).toBe(32)
    const of = (sites: number) => modulusFor({ ...demo, sites, expectedLots: sites * 128 })
    expect([of(57), of(58)]).toEqual([32, 64])
    expect(modulusFor({ ...demo, expectedLots: 3 * 5000 })).toBe(64)
    expect(modulusFor({ ...demo, sites: 1000, expectedLots: 1e6, dimension: 2 ** 24 })).toBe(64)
    expect(() => modulusFor({ ...demo, noiseMultiplier: 1e13 / 2 ** 18, expectedLots: 1e14 })).toThrow(/SUM_REFUSED/)
  })

  it('is left as often as the bound says, or more seldom', () => {
    // In 2^32, 8,192 records at full clip in one coordinate are half the range. So many come of no smaller expectation.
    expect(wrapAroundProbability({ ...demo, expectedLots: 8192 }, 32)).toBe(1)
    const chances = [4000, 5000, 6000, 7000].map((expectedLots) => wrapAroundProbability({ ...demo, expectedLots }, 32))
    expect(chances).toEqual([...chances].sort((a, b) => a - b))
    // Poisson(7000) is 8,192 or more with chance 1e-43 or so; Chernoff must not be below that.
    expect(chances[3]).toBeGreaterThan(1e-46)
    expect(chances[3]).toBeLessThan(1e-38)
    // Noise alone: with sigma of half the range, a coordinate is outside as often as |Z| > 2, with chance 0.0455.
    const loud = { sites: 1, expectedLots: 1, noiseMultiplier: 4096, dimension: 1 }
    expect(wrapAroundProbability(loud, 32)).toBeGreaterThan(0.0455)
    expect(wrapAroundProbability(loud, 32)).toBeLessThan(0.3)
  })
})
