import { epsilonOf, gaussianDelta } from '@fedsvd/testing/core/accounting/exact'
import { describe, expect, it } from 'vitest'
import { calibrateNoiseMultiplier } from './calibrate.ts'
import { groupEpsilonUpperBound } from './group-privacy.ts'
import { pld } from './pld.ts'

const DELTA = 1e-5

function binomial(k: number, j: number): number {
  return j === 0 ? 1 : (binomial(k, j - 1) * (k - j + 1)) / j
}

/** Densities of both outcomes on a fine grid, by their definition. */
function densities(q: number, sigma: number, k: number) {
  const normal = (x: number, mean: number) =>
    Math.exp(-((x - mean) ** 2) / (2 * sigma * sigma)) / (sigma * Math.sqrt(2 * Math.PI))
  const step = sigma / 40
  const count = Math.ceil((k + 18 * sigma) / step)
  return Array.from({ length: count }, (_, i) => {
    const x = -9 * sigma + i * step
    let without = step * normal(x, 0)
    let within = 0
    for (let j = 0; j <= k; j++) within += step * binomial(k, j) * q ** j * (1 - q) ** (k - j) * normal(x, j)
    if (without === 0) without = Number.MIN_VALUE
    return { within, without }
  })
}

/** delta(epsilon) of `steps` (1 or 2) steps, the worse of both directions, by summing over all outcomes. */
function integratedDelta(q: number, sigma: number, k: number, steps: 1 | 2, epsilon: number): number {
  const one = densities(q, sigma, k)
  const growth = Math.exp(epsilon)
  let [remove, add] = [0, 0]
  for (const first of one) {
    for (const second of steps === 1 ? [{ within: 1, without: 1 }] : one) {
      const within = first.within * second.within
      const without = first.without * second.without
      remove += Math.max(0, within - growth * without)
      add += Math.max(0, without - growth * within)
    }
  }
  return Math.max(remove, add)
}

describe('epsilon of a person with several records, where the unit is the record', () => {
  it('without sampling is that of k times the sensitivity', () => {
    for (const k of [1, 2, 5, 20]) {
      for (const steps of [1, 7]) {
        const exact = epsilonOf((epsilon) => gaussianDelta(10 / (k * Math.sqrt(steps)), epsilon), DELTA)
        const bound = groupEpsilonUpperBound([{ sampleRate: 1, noiseMultiplier: 10, steps }], DELTA, k)
        expect(bound).toBeGreaterThanOrEqual(exact * (1 - 1e-9))
        expect(bound).toBeLessThan(exact * 1.0005)
      }
    }
  })

  it('of one record is what the accountant says', () => {
    const events = [{ sampleRate: 0.1, noiseMultiplier: 1, steps: 30 }]
    expect(groupEpsilonUpperBound(events, DELTA, 1)).toBe(pld.epsilonUpperBound(events, DELTA))
    expect(groupEpsilonUpperBound([], DELTA, 5)).toBe(0)
  })

  it.each([
    { q: 0.1, sigma: 1, k: 2, steps: 1 },
    { q: 0.3, sigma: 2, k: 5, steps: 1 },
    { q: 0.01, sigma: 0.8, k: 10, steps: 1 },
    { q: 0.9, sigma: 3, k: 3, steps: 1 },
    { q: 0.1, sigma: 1.5, k: 4, steps: 2 },
  ] as const)('agrees with numerical integration: q $q, sigma $sigma, k $k, $steps steps', ({ q, sigma, k, steps }) => {
    const bound = groupEpsilonUpperBound([{ sampleRate: q, noiseMultiplier: sigma, steps }], DELTA, k)
    // What is proved at `bound` holds, and a slightly smaller epsilon would not do.
    expect(integratedDelta(q, sigma, k, steps, bound)).toBeLessThan(DELTA * 1.002)
    expect(integratedDelta(q, sigma, k, steps, 0.998 * bound)).toBeGreaterThan(DELTA)
  })

  it('grows with the group, and composes events of different mechanisms', () => {
    const events = [
      { sampleRate: 0.05, noiseMultiplier: 1.2, steps: 20 },
      { sampleRate: 0.2, noiseMultiplier: 3, steps: 10 },
    ]
    const epsilons = [1, 2, 3, 8, 40].map((k) => groupEpsilonUpperBound(events, DELTA, k))
    expect(epsilons).toEqual([...epsilons].sort((a, b) => a - b))
    expect(groupEpsilonUpperBound([events[1]!, events[0]!], DELTA, 3)).toBeCloseTo(epsilons[2]!, 6)
  })

  // The table of docs/explanation/unit-of-privacy.md.
  it('is far from k times epsilon, and dividing the target by k does not undo it', () => {
    const terms = { sampleRate: 0.16, steps: 30, delta: DELTA, accountant: pld }
    const personWith = (k: number, epsilon: number) => {
      const noiseMultiplier = calibrateNoiseMultiplier({ ...terms, epsilon })
      return groupEpsilonUpperBound([{ ...terms, noiseMultiplier }], DELTA, k)
    }
    expect(personWith(5, 6.08)).toBeCloseTo(45, 0)
    expect(personWith(5, 6 / 5)).toBeCloseTo(7.57, 1)
    expect(personWith(10, 6 / 10)).toBeCloseTo(8.14, 1)
    expect(personWith(20, 6 / 20)).toBeCloseTo(8.71, 1)
  })

  it('refuses a group that is none', () => {
    for (const k of [0, -1, 1.5, 1001, Number.NaN]) {
      expect(() => groupEpsilonUpperBound([], DELTA, k)).toThrow('CONFIG_INVALID')
    }
  })
})
