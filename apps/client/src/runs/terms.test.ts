import {
  bestOrder,
  calibrateNoiseMultiplier,
  filterOf,
  pld,
  scheduleRule,
  stepsAffordable,
} from '@fedsvd/core/accounting'
import { BUDGET, sampleBound, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { describe, expect, it } from 'vitest'
import { termsFor } from './terms.ts'

const site = { declaredRecords: 120, budget: BUDGET, spent: [], rule: undefined }
const manifest = sampleManifest({ rounds: 20, localSteps: 5 })

/** Epsilon of the whole run and its two spare steps at these terms, after what was spent before. */
const epsilonOf = (
  terms: { sampleRate: number; noiseMultiplier: number },
  delta = 1e-5,
  spent = site.spent as object[],
) => pld.epsilonUpperBound([...(spent as never[]), { ...terms, steps: 102 }], delta)

describe('the terms of a site', () => {
  it('spend the target over all rounds of the run and a few spare steps: at least 99.9 % of it and never more', () => {
    const terms = termsFor(manifest, site)
    expect(terms).toMatchObject({ declaredRecords: 120, sampleRate: 10 / 120, budget: BUDGET })
    expect(epsilonOf(terms)).toBeLessThanOrEqual(6)
    expect(epsilonOf(terms)).toBeGreaterThan(5.99)
  })

  it('are none for so much noise that it could not be drawn: nothing is paid for it', () => {
    const target = { epsilon: 1e-5, delta: 1e-5 }
    const run = sampleManifest({ rounds: 20, localSteps: 5, expectedLotSize: 120, target })
    expect(() => termsFor(run, site)).toThrow(/BUDGET_TOO_SMALL.*noise multiplier of at most \d+ is enough/)
  })

  it('follow the smaller of the run’s target and the site’s own budget', () => {
    expect(termsFor(sampleManifest({ target: { epsilon: 2, delta: 1e-5 } }), site).budget.epsilon).toBe(2)
    expect(termsFor(manifest, { ...site, budget: { epsilon: 3, delta: 1e-5 } }).budget.epsilon).toBe(3)
  })

  it('hold at the smaller delta of both', () => {
    const terms = termsFor(sampleManifest({ target: { epsilon: 6, delta: 1e-6 }, rounds: 20 }), site)
    expect(terms.budget.delta).toBe(1e-6)
    expect(epsilonOf(terms, 1e-6)).toBeLessThanOrEqual(6)
  })

  it('take more noise when a part of the budget is spent: both together stay within it, by the filter of the ledger', () => {
    const spent = Array.from({ length: 10 }, () => sampleBound().event)
    const rule = { kind: 'renyi', order: bestOrder(spent, BUDGET) } as const
    const fresh = termsFor(manifest, site)
    const later = termsFor(manifest, { ...site, spent, rule })
    const charged = filterOf(rule).epsilonUpperBound([...spent, { ...later, steps: 102 }], 1e-5)
    expect(later.noiseMultiplier).toBeGreaterThan(fresh.noiseMultiplier)
    expect(charged).toBeLessThanOrEqual(6)
    expect(charged).toBeGreaterThan(5.99)
    expect(epsilonOf(later, 1e-5, spent)).toBeLessThan(charged)
  })
})

describe('a site stays out', () => {
  it('of everything when its delta is larger than 1 / declared records', () => {
    const at = (declaredRecords: number) => () =>
      termsFor(manifest, { ...site, declaredRecords, budget: { epsilon: 6, delta: 1e-3 } })
    expect(at(1000)).not.toThrow()
    expect(at(1001)).toThrow('DELTA_TOO_LARGE')
  })

  it('of a run whose lot is larger than its data', () => {
    expect(() => termsFor(sampleManifest({ expectedLotSize: 121 }), site)).toThrow('CONFIG_INVALID')
  })

  it('when nothing is left', () => {
    const spent = Array.from({ length: 1000 }, () => sampleBound().event)
    const rule = { kind: 'renyi', order: bestOrder(spent, BUDGET) } as const
    expect(() => termsFor(manifest, { ...site, spent, rule })).toThrow('BUDGET_TOO_SMALL')
    expect(() => termsFor(manifest, { ...site, spent })).toThrow('BUDGET_TOO_SMALL')
  })

  it('when its ledger holds it to the schedule of another run', () => {
    const spent = [sampleBound().event]
    const rule = scheduleRule(sampleBound().event)
    expect(() => termsFor(manifest, { ...site, spent, rule })).toThrow('BUDGET_TOO_SMALL')
  })

  /** So much of the budget is charged by the filter, by steps of the run's own mechanism and a remainder. */
  const spentUpTo = (share: number) => {
    const all = termsFor(manifest, site)
    const event = { ...sampleBound().event, sampleRate: all.sampleRate, noiseMultiplier: all.noiseMultiplier }
    const rule = { kind: 'renyi', order: bestOrder([event], BUDGET) } as const
    const filter = filterOf(rule)
    const steps = stepsAffordable({ ...BUDGET, epsilon: share * 6, ...all, accountant: filter })
    const spent = [{ ...event, steps }]
    const rest = { ...event, noiseMultiplier: 0, steps: 1 }
    rest.noiseMultiplier = calibrateNoiseMultiplier({
      ...BUDGET,
      epsilon: share * 6,
      sampleRate: all.sampleRate,
      steps: 1,
      prior: spent,
      accountant: filter,
    })
    return { untouched: all.noiseMultiplier, spent: [...spent, rest], rule }
  }

  it.each([
    [0.95, 2],
    [0.999, 2],
    [0.999, 10],
    [0.999999, 100],
  ])(
    'when %f of its budget is charged and the run lets it use %d times the noise: nobody else pays for it',
    (share, maxNoiseRatio) => {
      const { spent, rule } = spentUpTo(share)
      const run = { ...manifest, maxNoiseRatio }
      expect(() => termsFor(run, { ...site, spent, rule })).toThrow(
        new RegExp(`BUDGET_TOO_SMALL.*${maxNoiseRatio} times \\(maxNoiseRatio of the run\\).*charged already`),
      )
    },
  )

  it('and takes part with what it really needs where that is within the ratio, and no more', () => {
    const { untouched, spent, rule } = spentUpTo(0.8)
    const { noiseMultiplier } = termsFor({ ...manifest, maxNoiseRatio: 2 }, { ...site, spent, rule })
    expect(noiseMultiplier / untouched).toBeGreaterThan(1.2)
    expect(noiseMultiplier / untouched).toBeLessThanOrEqual(2)
    const charged = filterOf(rule).epsilonUpperBound(
      [...spent, { sampleRate: 10 / 120, noiseMultiplier, steps: 102 }],
      1e-5,
    )
    expect(charged).toBeLessThanOrEqual(6)
    expect(charged).toBeGreaterThan(5.99)
  })

  it('when its own budget is so much smaller than the target of the run, untouched as it is', () => {
    const small = { ...site, budget: { epsilon: 1, delta: 1e-5 } }
    expect(() => termsFor({ ...manifest, maxNoiseRatio: 2 }, small)).toThrow(/BUDGET_TOO_SMALL.*times as much/)
    expect(termsFor({ ...manifest, maxNoiseRatio: 10 }, small).budget.epsilon).toBe(1)
  })

  it('not, by a manifest from before the term, below ten times the noise', () => {
    const { untouched, spent, rule } = spentUpTo(0.95)
    const { noiseMultiplier } = termsFor(manifest, { ...site, spent, rule })
    expect(noiseMultiplier / untouched).toBeGreaterThan(2)
    expect(noiseMultiplier / untouched).toBeLessThanOrEqual(10)
  })
})
