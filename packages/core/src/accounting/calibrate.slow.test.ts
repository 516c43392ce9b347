import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { calibrateNoiseMultiplier, stepsAffordable } from './calibrate.ts'
import { pld } from './pld.ts'
import { rdp } from './rdp.ts'

/**
 * FedSVD's own data sets: records, and sigma by the PRV accountant for epsilon 6 and 3 (500 steps, lot 128, delta
 * 1e-5).
 */
const PRV = [
  { records: 6588, sigma6: 0.718, sigma3: 0.948 },
  { records: 17723, sigma6: 0.551, sigma3: 0.684 },
  { records: 3879, sigma6: 0.887, sigma3: 1.277 },
  { records: 22571, sigma6: 0.525, sigma3: 0.648 },
  { records: 112574, sigma6: 0.411, sigma3: 0.504 },
  { records: 157360, sigma6: 0.396, sigma3: 0.483 },
]

describe('calibrateNoiseMultiplier', () => {
  it.each(PRV)('finds the noise of FedSVD by PRV within 1 %: $records records', ({ records, sigma6, sigma3 }) => {
    const question = { delta: 1e-5, sampleRate: 1 / Math.ceil(records / 128), steps: 500, accountant: pld }
    expect(Math.abs(calibrateNoiseMultiplier({ ...question, epsilon: 6 }) / sigma6 - 1)).toBeLessThan(0.01)
    expect(Math.abs(calibrateNoiseMultiplier({ ...question, epsilon: 3 }) / sigma3 - 1)).toBeLessThan(0.01)
  })

  it.each([rdp, pld])('lands within 0.1 % below the budget and never above: $name', (accountant) => {
    fc.assert(
      fc.property(
        fc.double({ min: -1, max: 1.5, noNaN: true }).map((x) => 10 ** x),
        fc.double({ min: -12, max: -4, noNaN: true }).map((x) => 10 ** x),
        fc.double({ min: -2.5, max: 0, noNaN: true }).map((x) => 10 ** x),
        fc.integer({ min: 1, max: 2000 }),
        fc.boolean(),
        (epsilon, delta, sampleRate, steps, spentBefore) => {
          const prior = spentBefore
            ? [
                {
                  sampleRate,
                  noiseMultiplier: calibrateNoiseMultiplier({
                    epsilon: epsilon / 2,
                    delta,
                    sampleRate,
                    steps,
                    accountant,
                  }),
                  steps,
                },
              ]
            : []
          const noiseMultiplier = calibrateNoiseMultiplier({ epsilon, delta, sampleRate, steps, prior, accountant })
          const spent = accountant.epsilonUpperBound([...prior, { sampleRate, noiseMultiplier, steps }], delta)
          expect(spent).toBeLessThanOrEqual(epsilon)
          expect(spent).toBeGreaterThanOrEqual(0.999 * epsilon)
        },
      ),
      { numRuns: 12 },
    )
  })

  it('refuses a budget that the prior has already filled', () => {
    const prior = [{ sampleRate: 1, noiseMultiplier: 0.5, steps: 3 }]
    const question = { epsilon: 6, delta: 1e-5, sampleRate: 0.01, steps: 10, prior }
    for (const accountant of [rdp, pld]) {
      expect(() => calibrateNoiseMultiplier({ ...question, accountant })).toThrowError(
        /^BUDGET_TOO_SMALL: .*already spent/,
      )
    }
  })

  it('refuses a budget too small for any noise that leaves something to learn', () => {
    const question = { epsilon: 1e-7, delta: 1e-12, sampleRate: 1, steps: 1_000_000, accountant: rdp }
    expect(() => calibrateNoiseMultiplier(question)).toThrowError(/^BUDGET_TOO_SMALL/)
    expect(() => calibrateNoiseMultiplier({ ...question, epsilon: 0 })).toThrowError(/^BUDGET_TOO_SMALL/)
  })

  it('refuses a delta that permits publishing the record', () => {
    const question = { epsilon: 6, delta: 0.5, sampleRate: 1e-3, steps: 5, accountant: pld }
    expect(() => calibrateNoiseMultiplier(question)).toThrowError(/^CONFIG_INVALID: expected a budget that needs noise/)
  })

  it.each([
    [{ steps: 0 }, 'CONFIG_INVALID'],
    [{ steps: 2.5 }, 'CONFIG_INVALID'],
    [{ sampleRate: 0 }, 'CONFIG_INVALID'],
    [{ delta: 0 }, 'CONFIG_INVALID'],
    [{ epsilon: -1 }, 'CONFIG_INVALID'],
    [{ epsilon: Number.NaN }, 'CONFIG_INVALID'],
  ])('refuses %o', (bad, code) => {
    const question = { epsilon: 6, delta: 1e-5, sampleRate: 0.02, steps: 500, accountant: rdp, ...bad }
    expect(() => calibrateNoiseMultiplier(question)).toThrowError(expect.objectContaining({ code }))
  })
})

describe('stepsAffordable', () => {
  it.each([rdp, pld])('is the last number of steps within the budget: $name', (accountant) => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 8, noNaN: true }),
        fc.double({ min: 0.005, max: 0.5, noNaN: true }),
        fc.double({ min: 0.6, max: 4, noNaN: true }),
        (epsilon, sampleRate, noiseMultiplier) => {
          const question = { epsilon, delta: 1e-5, sampleRate, noiseMultiplier, accountant, atMost: 20_000 }
          const steps = stepsAffordable(question)
          const cost = (n: number) => accountant.epsilonUpperBound([{ sampleRate, noiseMultiplier, steps: n }], 1e-5)
          if (steps > 0) expect(cost(steps)).toBeLessThanOrEqual(epsilon)
          if (steps < 20_000) expect(cost(steps + 1)).toBeGreaterThan(epsilon)
        },
      ),
      { numRuns: 12 },
    )
  })

  it('counts the prior, says 0 when nothing is left, and stops at the limit it was given', () => {
    const question = { epsilon: 6, delta: 1e-5, sampleRate: 1 / 52, noiseMultiplier: 0.718, accountant: pld }
    const all = stepsAffordable(question)
    const half = { sampleRate: 1 / 52, noiseMultiplier: 0.718, steps: 250 }
    expect(stepsAffordable({ ...question, prior: [half] })).toBe(all - 250)
    expect(stepsAffordable({ ...question, prior: [{ ...half, steps: all + 50 }] })).toBe(0)
    expect(stepsAffordable({ ...question, epsilon: 0.5 })).toBe(0)
    expect(stepsAffordable({ ...question, noiseMultiplier: 1e5, atMost: 3000 })).toBe(3000)
  })
})
