import { bestOrder, filterOf, pld, scheduleRule } from '@fedsvd/core/accounting'
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

  it('when so little is left that its noise would drown the run', () => {
    const all = termsFor(manifest, site)
    const spent = [{ ...sampleBound().event, ...all, steps: 77 }] // 99.8 % of the budget, by the filter
    const rule = { kind: 'renyi', order: bestOrder(spent, BUDGET) } as const
    expect(() => termsFor(manifest, { ...site, spent, rule })).toThrow(/BUDGET_TOO_SMALL.*at most 10 times/)
  })
})
