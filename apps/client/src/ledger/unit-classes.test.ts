import { closedFormEpsilon, eventOfRound } from '@fedsvd/core/accounting'
import { eventOfEvaluation } from '@fedsvd/core/site-evaluation'
import {
  BUDGET,
  FINGERPRINT,
  perStep,
  RUN_A,
  RUN_B,
  sampleBound,
  sampleManifest,
} from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { requireBudget } from './budget.ts'
import { openLedger } from './ledger.ts'
import { advance } from './replay.ts'
import type { BoundRun } from './state.ts'
import { eventsByClass, type Spending, spentByClass, worstOfClasses } from './unit-classes.ts'

const OTHER_DATA = 'f'.repeat(64)
const event = eventOfRound(sampleManifest(), { sampleRate: 0.1, noiseMultiplier: 2 })
const trained = (share: number, dataset = FINGERPRINT): Spending => ({ event, dataset, share, side: 'trained' })
const evaluated = (share: number, dataset = FINGERPRINT): Spending => ({ event, dataset, share, side: 'evaluated' })
const sizes = (spending: readonly Spending[]) => eventsByClass(spending).map((events) => events.length)

/** A run that evaluates: in the doubles of these tests each event costs its steps. */
function bound(runId: string, share = 0.2): BoundRun & { readonly evaluation: NonNullable<BoundRun['evaluation']> } {
  const siteEvaluation = { share, every: 1, noiseMultiplier: 3 }
  const manifest = sampleManifest({ runId, siteEvaluation })
  return { ...sampleBound(manifest), evaluation: { share, event: eventOfEvaluation({ ...manifest, siteEvaluation }) } }
}

describe('what each class of units has spent', () => {
  it('is everything for everybody where an adopted ledger set units aside by another salt', () => {
    using earlier = temporaryFolder()
    using folder = temporaryFolder()
    for (const [stateDir, runId] of [
      [earlier.path, RUN_A],
      [folder.path, RUN_B],
    ] as const) {
      const places = stateDir === folder.path ? [{ stateDir: earlier.path }] : []
      using ledger = openLedger(stateDir, FINGERPRINT, BUDGET, { earlier: places, makeFilter: perStep(0.1) })
      const run = bound(runId)
      ledger.bind(run)
      ledger.reserve(runId, 1)
      ledger.evaluate(runId, 1)
      const [trainedIn, evaluatedIn] = [run.event, run.evaluation.event]
      if (runId === RUN_B)
        expect(spentByClass(ledger.state)).toEqual([expect.arrayContaining([trainedIn, evaluatedIn])])
    }
  })

  it('is all of it where nobody was set aside', () => {
    expect(sizes([trained(0), trained(0)])).toEqual([2])
    expect(sizes([])).toEqual([0])
  })

  it('is the steps, or the evaluations, of a run that sets units aside', () => {
    expect(sizes([trained(0.2), trained(0.2), evaluated(0.2)])).toEqual([1, 2])
  })

  it('is both of different runs: set aside by one, trained on by another, or between two shares', () => {
    const ofTwoRuns = [trained(0.1), evaluated(0.1), trained(0.3), trained(0.3), evaluated(0.3)]
    // from 0: evaluated by both; from 0.1: trained by the first, evaluated by the second; from 0.3: trained by both
    expect(sizes(ofTwoRuns)).toEqual([2, 2, 3])
    expect(sizes([...ofTwoRuns, trained(0)])).toEqual([3, 3, 4])
  })

  it('is any combination where one unit has another place in each data set', () => {
    expect(sizes([trained(0.2), evaluated(0.2), trained(0.2, OTHER_DATA)]).sort()).toEqual([1, 1, 2, 2])
  })

  it('is everything for everybody where there would be too many classes', () => {
    const many = Array.from({ length: 300 }, (_, index) => trained(0.01 + index / 1000))
    expect(sizes([...many, evaluated(0.5)])).toEqual([301])
  })

  it('of outside rounds is about all units', () => {
    expect(sizes([trained(0.2), { event, dataset: FINGERPRINT, share: 0.2, side: undefined }])).toEqual([1, 2])
  })
})

describe('a ledger of a run that evaluates', () => {
  it('pays for steps and evaluations side by side, each up to the budget and neither beyond', () => {
    using folder = temporaryFolder()
    // each step costs 1; a round has five, so the budget of 6 pays for one round and a step
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET, { makeFilter: perStep(1) })
    ledger.bind(bound(RUN_A))
    ledger.reserve(RUN_A, 0)
    for (let evaluation = 0; evaluation < 6; evaluation++) ledger.evaluate(RUN_A, 0)
    expect(() => ledger.evaluate(RUN_A, 0)).toThrow('BUDGET_EXHAUSTED')
    expect(spentByClass(ledger.state).map((events) => events.length)).toEqual([6, 1])
    expect(worstOfClasses(ledger.state, (events) => events.reduce((sum, { steps }) => sum + steps, 0))).toBe(6)
    expect(ledger.reserve(RUN_A, 1).entry.event.steps).toBe(1)
  })

  it('counts what units set aside have spent when another run trains on them', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET, { makeFilter: perStep(1) })
    ledger.bind(bound(RUN_A))
    ledger.reserve(RUN_A, 0)
    for (let evaluation = 0; evaluation < 6; evaluation++) ledger.evaluate(RUN_A, 0)
    const plain = sampleBound(sampleManifest({ runId: RUN_B }))
    ledger.bind(plain)
    expect(() => ledger.reserve(RUN_B, 0)).toThrow('BUDGET_EXHAUSTED')
    // a run with the same share trains on none of them
    const payer = { run: bound(RUN_B), dataset: FINGERPRINT, makeFilter: perStep(1) }
    expect(() => requireBudget(ledger.state, { ...event, steps: 1 }, payer)).not.toThrow()
    expect(() => requireBudget(ledger.state, { ...event, steps: 1 }, { ...payer, run: bound(RUN_B, 0.1) })).toThrow(
      'BUDGET_EXHAUSTED',
    )
  })

  it('pays for no more evaluations of a run than the run was granted, whatever else the site has left', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, { ...BUDGET, epsilon: 20 }, { makeFilter: perStep(1) })
    ledger.bind(bound(RUN_A))
    ledger.reserve(RUN_A, 0)
    for (let evaluation = 0; evaluation < 6; evaluation++) ledger.evaluate(RUN_A, 0)
    expect(() => ledger.evaluate(RUN_A, 0)).toThrow(/BUDGET_EXHAUSTED.*for this run/)
  })

  it('is damaged by an evaluation that is not that of its run, or of no round that was reserved', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET, { makeFilter: perStep(0.1) })
    const run = bound(RUN_A)
    ledger.bind(run)
    ledger.reserve(RUN_A, 1)
    const fact = { kind: 'charged', purpose: 'evaluation', dataset: FINGERPRINT, runId: RUN_A, round: 1 } as const
    expect(() => advance(ledger.state, { ...fact, event: run.evaluation.event }, 9)).not.toThrow()
    for (const odd of [
      { ...fact, event: { ...run.evaluation.event, noiseMultiplier: 9 } },
      { ...fact, event: run.evaluation.event, round: 2 },
      { ...fact, event: run.evaluation.event, purpose: 'count' as const },
      { ...fact, event: run.evaluation.event, runId: RUN_B },
    ]) {
      expect(() => advance(ledger.state, odd, 9)).toThrow('LEDGER_DAMAGED')
    }
  })

  it('evaluates only a round that is reserved, of a run that evaluates, and is read as it was written', () => {
    using folder = temporaryFolder()
    const written = (() => {
      using ledger = openLedger(folder.path, FINGERPRINT, BUDGET, { makeFilter: perStep(0.1) })
      ledger.bind(bound(RUN_A))
      ledger.bind(sampleBound(sampleManifest({ runId: RUN_B })))
      expect(() => ledger.evaluate(RUN_A, 1)).toThrow('TERMS_CHANGED')
      ledger.reserve(RUN_A, 1)
      expect(ledger.evaluate(RUN_A, 1).entry).toMatchObject({ round: 1, attempt: 1, event: { noiseMultiplier: 3 } })
      ledger.reserve(RUN_B, 1)
      expect(() => ledger.evaluate(RUN_B, 1)).toThrow('TERMS_CHANGED')
      return ledger.state
    })()
    using again = openLedger(folder.path, FINGERPRINT, BUDGET)
    expect(again.state.charges).toEqual(written.charges)
    expect(again.state.charges).toHaveLength(1)
    expect(closedFormEpsilon(spentByClass(again.state)[0]!, 1e-5)).toBeGreaterThan(0)
  })
})
