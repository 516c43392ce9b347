import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { calibrateNoiseMultiplier, filterOf, pld } from '@fedsvd/core/accounting'
import {
  BUDGET,
  FINGERPRINT,
  RUN_A,
  RUN_B,
  sampleBound,
  sampleManifest,
  TERMS,
} from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { requireBudget, ruleOf } from './budget.ts'
import { SITE_BUDGET } from './entry.ts'
import { ledgerPath, openLedger } from './ledger.ts'
import { verifyLedgerBytes } from './verify.ts'

const granted = (epsilon: number) => ({ ...TERMS, budget: { epsilon, delta: 1e-5 } })
/** A first run that leaves room for others. */
const SMALL = sampleBound(sampleManifest(), granted(2))
/** A first run to which the whole budget is granted. */
const WHOLE = sampleBound(sampleManifest(), granted(6))
const OTHER = sampleBound(sampleManifest({ runId: RUN_B }), { ...TERMS, sampleRate: 0.02, noiseMultiplier: 4 })

const kinds = (folder: string) =>
  verifyLedgerBytes(readFileSync(ledgerPath(folder)), SITE_BUDGET).entries.map(({ fact }) => fact.kind)

describe('the rule of a ledger', () => {
  it('is on disk before the first reservation, once, and survives restarts and lowered budgets', () => {
    using folder = temporaryFolder()
    for (const [round, epsilon] of [6, 6, 5].entries()) {
      using ledger = openLedger(folder.path, FINGERPRINT, { ...BUDGET, epsilon })
      ledger.bind(SMALL)
      ledger.reserve(RUN_A, round)
      expect(ledger.state.rule?.kind).toBe('renyi')
    }
    const once = ['opened', 'bound', 'rule-fixed', 'reserved']
    expect(kinds(folder.path)).toEqual([...once, 'reserved', 'budget-lowered', 'reserved'])
  })

  it('is the schedule of a first run that may take everything: no other run is paid for, however little it asks', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    ledger.bind(WHOLE)
    ledger.bind(OTHER)
    ledger.reserve(RUN_A, 0)
    expect(ledger.state.rule).toEqual({ kind: 'schedule', sampleRate: 0.1, noiseMultiplier: 2 })
    expect(() => ledger.reserve(RUN_B, 0)).toThrow(/BUDGET_EXHAUSTED.*by PLD for the schedule/)
    ledger.reserve(RUN_A, 1)
  })

  it('depends on which run releases first, not on which was bound first', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    ledger.bind(WHOLE)
    ledger.bind(OTHER)
    ledger.reserve(RUN_B, 0)
    expect(ledger.state.rule).toMatchObject({ sampleRate: 0.02, noiseMultiplier: 4 })
    expect(() => ledger.reserve(RUN_A, 0)).toThrow('BUDGET_EXHAUSTED')
  })

  it('lets later runs follow a small one, up to the filter and not to PLD', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    ledger.bind(SMALL)
    ledger.reserve(RUN_A, 0)
    const rule = ledger.state.rule!
    const least = (accountant: typeof pld | ReturnType<typeof filterOf>) =>
      calibrateNoiseMultiplier({
        ...BUDGET,
        sampleRate: 0.05,
        steps: 5,
        prior: [SMALL.event],
        accountant: accountant as typeof pld,
      })
    const byFilter = least(filterOf(rule))
    expect(byFilter).toBeGreaterThan(1.01 * least(pld))
    const later = (runId: string, noiseMultiplier: number) =>
      sampleBound(sampleManifest({ runId }), { ...TERMS, sampleRate: 0.05, noiseMultiplier })
    const { event } = later(RUN_B, 0.995 * byFilter)
    expect(() => requireBudget(ledger.state, event)).toThrow(/BUDGET_EXHAUSTED.*by the Renyi filter/)
    ledger.bind(later(RUN_B, byFilter))
    expect(ledger.reserve(RUN_B, 0).entry.event.steps).toBe(5)
  })

  it('is a filter where something is paid for outside rounds first', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    ledger.charge('count', { ...SMALL.event, sampleRate: 1, noiseMultiplier: 8, steps: 1 })
    expect(ledger.state.rule?.kind).toBe('renyi')
    ledger.bind(SMALL)
    ledger.reserve(RUN_A, 0)
    expect(kinds(folder.path)).toEqual(['opened', 'rule-fixed', 'charged', 'bound', 'reserved'])
  })

  it('that no release followed binds nobody', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    expect(ruleOf(ledger.state)).toBeUndefined()
    expect(ruleOf({ ...ledger.state, rule: { kind: 'gaussian' } }, SMALL).kind).toBe('renyi')
  })
})

describe('a ledger from before there were rules', () => {
  function fixture(folder: string, name: 'one-run' | 'two-runs'): void {
    const path = ledgerPath(folder, FINGERPRINT)
    mkdirSync(dirname(path), { recursive: true })
    copyFileSync(new URL(`../../../../packages/testing/src/client/ledgers/${name}.jsonl`, import.meta.url), path)
  }

  it('of one run gets the rule that this run would have fixed, and goes on with it', () => {
    using folder = temporaryFolder()
    fixture(folder.path, 'one-run')
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    expect(ledger.state.rule).toBeUndefined()
    expect(ruleOf(ledger.state)).toEqual(ruleOf({ ...ledger.state, attempts: [] }, SMALL))
    ledger.reserve(RUN_A, 2)
    expect(ledger.state.rule).toMatchObject({ kind: 'renyi' })
    expect(kinds(folder.path).slice(-2)).toEqual(['rule-fixed', 'reserved'])
  })

  it('of several runs counts all of them by a filter from here on', () => {
    using folder = temporaryFolder()
    fixture(folder.path, 'two-runs')
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    const rule = ruleOf(ledger.state)!
    expect(rule.kind).toBe('renyi')
    ledger.reserve(RUN_A, 2)
    expect(ledger.state.rule).toEqual(rule)
  })

  it('keeps its meaning: what was spent stays spent', () => {
    using folder = temporaryFolder()
    fixture(folder.path, 'two-runs')
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    expect(ledger.state.attempts.map(({ event }) => event.steps)).toEqual([5, 5, 5, 5, 5])
    expect(ledger.state.rule).toBeUndefined()
  })
})
