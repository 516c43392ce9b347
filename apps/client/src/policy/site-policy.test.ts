import { sampleManifest, TERMS } from '@fedsvd/testing/client/sample-run'
import { describe, expect, it } from 'vitest'
import {
  requireMonthAllowed,
  requireRunAllowed,
  requireStepsAllowed,
  requireTermsAllowed,
  sitePolicySchema,
} from './site-policy.ts'

const manifest = sampleManifest() // 4 rounds of 5 steps, fedsvd, sequence classification

describe('the policy of a site', () => {
  it('that says nothing allows every run, and asks nobody', () => {
    const policy = sitePolicySchema.parse({})
    expect(policy).toEqual({ approval: 'auto' })
    requireRunAllowed(manifest, policy)
    requireTermsAllowed(TERMS, policy)
    requireMonthAllowed(TERMS, [{ agreedAt: '2026-03-01T00:00:00.000Z', terms: TERMS }], new Date('2026-03-02'), policy)
  })

  it.each([
    [{ tasks: ['causal-lm' as const] }, 'one of the tasks causal-lm'],
    [{ methods: ['ffa-lora'] }, 'one of the methods ffa-lora'],
    [{ maxSteps: 19 }, 'at most 19 steps in one run (maxSteps), got 20 steps'],
  ])('refuses a run for %j', (policy, words) => {
    expect(() => requireRunAllowed(manifest, policy)).toThrow('POLICY_REFUSED')
    expect(() => requireRunAllowed(manifest, policy)).toThrow(words)
  })

  it('counts the steps of an extension', () => {
    requireStepsAllowed(25, { maxSteps: 25 })
    expect(() => requireStepsAllowed(30, { maxSteps: 25 })).toThrow('got 30 steps')
  })

  it('refuses terms with more epsilon or less noise, and takes those at the limit', () => {
    requireTermsAllowed(TERMS, { maxEpsilonPerRun: 6, minNoiseMultiplier: 2 })
    expect(() => requireTermsAllowed(TERMS, { maxEpsilonPerRun: 5.9 })).toThrow('at most epsilon 5.9 for one run')
    expect(() => requireTermsAllowed(TERMS, { minNoiseMultiplier: 2.1 })).toThrow('noise multiplier of at least 2.1')
  })

  it('adds up what the runs of one calendar month were granted, in UTC', () => {
    const at = (agreedAt?: string) => ({ agreedAt, terms: TERMS })
    const other = [at('2026-02-28T23:59:59.999Z'), at('2026-04-01T00:00:00.000Z'), at('2025-03-15T00:00:00.000Z'), at()]
    const require = (runs: readonly ReturnType<typeof at>[], maxEpsilonPerMonth: number) => () =>
      requireMonthAllowed(TERMS, runs, new Date('2026-03-31T23:59:59Z'), { maxEpsilonPerMonth })
    expect(require(other, 6)).not.toThrow()
    expect(require([...other, at('2026-03-01T00:00:00.000Z')], 12)).not.toThrow()
    expect(require([...other, at('2026-03-01T00:00:00.000Z')], 11.9)).toThrow('epsilon 6 beside 6 that runs of 2026-03')
  })
})

it.each([
  [{ maxEpsilonPerRun: 0 }],
  [{ maxSteps: 1.5 }],
  [{ tasks: [] }],
  [{ tasks: ['poetry'] }],
  [{ approval: 'never' }],
  [{ maxEpsilon: 3 }],
])('the policy %j is none', (policy) => expect(sitePolicySchema.safeParse(policy).success).toBe(false))
