import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { eventOfEvaluation } from '@fedsvd/core/site-evaluation'
import {
  BUDGET,
  FINGERPRINT,
  perStep,
  RUN_A,
  RUN_B,
  sampleBound,
  sampleManifest,
  TERMS,
} from '@fedsvd/testing/client/sample-run'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { publicKeyOf, type Renewal, signStatement } from '../owner/statement.ts'
import { chain, genesisHash } from './chain.ts'
import { budgetInUse } from './charged.ts'
import type { LedgerEntry, LedgerFact } from './entry.ts'
import { type LedgerOptions, ledgerPath, openLedger, type PrivacyLedger } from './ledger.ts'
import { replay } from './replay.ts'
import { attemptToGoOnWith, type LedgerState, spentEvents } from './state.ts'
import { spentByClass } from './unit-classes.ts'

/*
 * A budget of epsilon 6 at 0.25 for each step: 24 steps. A round of run A has 5 of them, and one of run B has 3.
 */
const OWNER = generateKeyPairSync('ed25519').privateKey
const RUNS = [sampleBound(), sampleBound(sampleManifest({ runId: RUN_B, localSteps: 3 }))]

let folder: TemporaryFolder
let today: string
beforeEach(() => {
  folder = temporaryFolder()
  today = '2026-06-15'
})
afterEach(() => folder[Symbol.dispose]())

function renewal(from: string, changes: Partial<Renewal> = {}, key = OWNER): Renewal {
  const at = '2026-03-01T00:00:00.000Z'
  const draft = { kind: 'renewal' as const, budget: 'site', from, ...BUDGET, at }
  return { ...signStatement({ ...draft, ...changes }, key) }
}

const open = (options: LedgerOptions = {}, budget: { epsilon: number; delta: number } = BUDGET): PrivacyLedger =>
  openLedger(folder.path, FINGERPRINT, budget, {
    makeFilter: perStep(0.25),
    now: () => new Date(`${today}T12:00:00Z`),
    ...options,
  })
const stepsOf = (state: LedgerState, runId?: string) =>
  spentEvents(state, runId).reduce((sum, { steps }) => sum + steps, 0)

describe('a budget that the data owner renews', () => {
  it('is written as of when it began, so that a clock that is put back before the first agreement spoils no ledger', () => {
    today = '2026-07-01'
    {
      using ledger = open({ deferred: true })
      ledger.accept(renewal('2026-07-01'))
      expect(ledger.renewIfDue()).toBe('2026-07-01')
      today = '2026-06-30'
      ledger.bind(RUNS[0]!)
    }
    using again = open()
    expect(again.state.periods).toHaveLength(1)
    expect(again.state.runs.size).toBe(1)
  })

  it('begins anew on the day that was signed, once, and over a restart', () => {
    {
      using ledger = open()
      for (const run of RUNS) ledger.bind(run)
      ledger.accept(renewal('2026-07-01'))
      for (const round of [0, 1, 2]) ledger.reserve(RUN_B, round)
      expect(ledger.renewIfDue()).toBeUndefined()
      expect(stepsOf(ledger.state)).toBe(9)
      today = '2026-07-01'
      expect(ledger.renewIfDue()).toBe('2026-07-01')
      expect(ledger.renewIfDue()).toBeUndefined()
      expect(stepsOf(ledger.state)).toBe(0)
      ledger.accept(renewal('2026-07-01')) // again changes nothing
      for (const round of [0, 1, 2, 3]) ledger.reserve(RUN_A, round)
      expect(stepsOf(ledger.state)).toBe(20)
    }
    using again = open()
    expect(again.renewIfDue()).toBeUndefined()
    expect([stepsOf(again.state), stepsOf(again.state, RUN_B)]).toEqual([20, 9])
    expect(budgetInUse(again.state)).toMatchObject({
      budget: BUDGET,
      renewed: { since: '2026-07-01', times: 1, inAll: { epsilon: 12, delta: 2e-5 } },
    })
  })

  it('gives no run more than it was granted: that is for all of it, in whichever period', () => {
    using ledger = open()
    ledger.bind(RUNS[0]!)
    ledger.accept(renewal('2026-07-01'))
    for (const round of [0, 1, 2, 3]) ledger.reserve(RUN_A, round)
    today = '2026-08-01'
    ledger.renewIfDue()
    expect(ledger.reserve(RUN_A, 4).entry.event.steps).toBe(4)
    expect(() => ledger.reserve(RUN_A, 5)).toThrow(/BUDGET_EXHAUSTED.*for this run/)
    expect(stepsOf(ledger.state)).toBe(4)
  })

  it('fixes its rule anew, before the first release of the period', () => {
    using ledger = open({ makeFilter: perStep(0.001) })
    for (const run of RUNS) ledger.bind(run)
    ledger.accept(renewal('2026-07-01'))
    ledger.reserve(RUN_A, 0)
    const before = ledger.state.rule
    today = '2026-07-01'
    ledger.renewIfDue()
    expect([before, ledger.state.rule]).toEqual([expect.anything(), undefined])
    ledger.reserve(RUN_B, 0)
    expect(ledger.state.rule).toBeDefined()
  })

  it('counts an evaluation of a round that was under way in the period in which it is paid for, by a rule that then stays', () => {
    using ledger = open({ makeFilter: perStep(0.001) })
    const siteEvaluation = { share: 0.2, every: 1, noiseMultiplier: 5 }
    const manifest = sampleManifest({ siteEvaluation })
    ledger.bind({
      ...sampleBound(manifest),
      evaluation: { share: 0.2, event: eventOfEvaluation({ ...manifest, siteEvaluation }) },
    })
    const other = sampleManifest({ runId: RUN_B, localSteps: 3 })
    ledger.bind(sampleBound(other, { ...TERMS, noiseMultiplier: 0.6 })) // which another order would suit better
    ledger.accept(renewal('2026-07-01'))
    ledger.reserve(RUN_A, 0)
    today = '2026-07-01'
    ledger.renewIfDue()
    ledger.evaluate(RUN_A, 0)
    const { rule } = ledger.state
    expect(rule).toBeDefined()
    expect(
      spentByClass(ledger.state)
        .map((events) => events.length)
        .sort(),
    ).toEqual([0, 1])
    ledger.reserve(RUN_B, 0)
    expect(ledger.state.rule).toEqual(rule)
    const lines = readFileSync(ledgerPath(folder.path), 'utf8')
    expect(lines.match(/"rule-fixed"/g)).toHaveLength(2) // one for each period
  })

  it('goes on with no attempt of the period before: that is paid for anew, and whole', () => {
    using ledger = open()
    ledger.bind(RUNS[0]!)
    ledger.accept(renewal('2026-07-01'))
    ledger.reserve(RUN_A, 0)
    expect(attemptToGoOnWith(ledger.state, RUN_A, 0)).toBeDefined()
    today = '2026-07-01'
    ledger.renewIfDue()
    expect(attemptToGoOnWith(ledger.state, RUN_A, 0)).toBeUndefined()
    expect(() => ledger.resume(RUN_A, 0)).toThrow('TERMS_CHANGED')
    expect(ledger.reserve(RUN_A, 0)).toMatchObject({ entry: { event: { steps: 5 } } })
  })

  it('skips periods that nobody saw, and holds the smaller budget that the client was started with', () => {
    using ledger = open({}, { epsilon: 3, delta: 1e-6 })
    ledger.bind(RUNS[0]!)
    for (const from of ['2026-07-01', '2026-09-01', '2027-01-01']) ledger.accept(renewal(from, { epsilon: 8 }))
    today = '2026-12-31'
    expect(ledger.renewIfDue()).toBe('2026-09-01')
    expect(ledger.state).toMatchObject({ budget: { epsilon: 3, delta: 1e-6 }, given: { epsilon: 8, delta: 1e-5 } })
    expect(ledger.state.periods).toHaveLength(1)
  })

  it('is written with what follows it: a start that fails binds nobody', () => {
    open()[Symbol.dispose]()
    const bytes = readFileSync(ledgerPath(folder.path))
    today = '2026-07-01'
    {
      using ledger = open({ deferred: true })
      ledger.accept(renewal('2026-07-01'))
      expect(ledger.renewIfDue()).toBe('2026-07-01')
      expect(readFileSync(ledgerPath(folder.path))).toEqual(bytes)
    }
    using ledger = open({ deferred: true })
    expect(ledger.state.periods).toEqual([])
    ledger.accept(renewal('2026-07-01'))
    ledger.renewIfDue()
    ledger.bind(RUNS[0]!)
    const kinds = readFileSync(ledgerPath(folder.path), 'utf8').match(/"kind":"[a-z-]+"/g)!
    expect(kinds.filter((kind) => !/disjoint|renewal/.test(kind)).map((kind) => kind.slice(8, -1))).toEqual([
      'opened',
      'owner',
      'stated',
      'renewed',
      'bound',
    ])
  })

  it('is renewed by the owner of its first statement alone', () => {
    using ledger = open()
    ledger.accept(renewal('2026-07-01'))
    const other = generateKeyPairSync('ed25519').privateKey
    expect(() => ledger.accept(renewal('2026-08-01', {}, other))).toThrow('STATEMENT_INVALID')
    expect(() => ledger.accept({ ...renewal('2026-08-01'), epsilon: 60 })).toThrow('STATEMENT_INVALID')
    ledger.accept(renewal('2026-06-01', { budget: 'trial' })) // of another budget: nothing to do here
    expect(ledger.renewIfDue()).toBeUndefined()
  })
})

describe('a chain with a renewal', () => {
  const [first, second] = [renewal('2026-07-01'), renewal('2026-09-01')]
  const opened = { kind: 'opened', format: 2, name: 'site', salt: 'ab'.repeat(32), budget: BUDGET } as const
  const stated: readonly LedgerFact[] = [
    opened,
    { kind: 'owner', publicKey: publicKeyOf(OWNER) },
    { kind: 'stated', statement: first },
    { kind: 'stated', statement: second },
    { kind: 'stated', statement: renewal('2026-08-01', { budget: 'trial' }) },
  ]
  const renewed = ({ signature }: Renewal): LedgerFact => ({ kind: 'renewed', statement: signature })
  const reading =
    (at: string, ...facts: readonly LedgerFact[]) =>
    () => {
      let head = genesisHash('site')
      const entries = [...stated, ...facts].map((fact, seq): LedgerEntry => {
        const entry = chain(head, seq, at, fact)
        head = entry.hash
        return entry
      })
      return replay(entries)
    }

  it('is read where each follows on its day', () => {
    expect(reading('2026-09-01T00:00:00.000Z', renewed(first), renewed(second))()!.periods).toHaveLength(2)
  })

  it.each<[string, string, readonly LedgerFact[]]>([
    ['begins before its day', '2026-06-30T23:59:59.999Z', [renewed(first)]],
    ['begins twice', '2026-10-01T00:00:00.000Z', [renewed(first), renewed(first)]],
    ['goes back', '2026-10-01T00:00:00.000Z', [renewed(second), renewed(first)]],
    ['nobody signed', '2026-10-01T00:00:00.000Z', [renewed({ ...first, signature: 'A'.repeat(86) })]],
    [
      'is of another budget',
      '2026-10-01T00:00:00.000Z',
      [renewed(stated.flatMap((fact) => (fact.kind === 'stated' ? [fact.statement as Renewal] : [])).at(-1)!)],
    ],
  ])('is refused where one %s', (_, at, facts) => {
    expect(reading(at, ...facts)).toThrow('LEDGER_DAMAGED')
  })
})

it('whatever is reserved, renewed and started again: each period stays within its budget, and each run within its grant', () => {
  const action = fc.oneof(
    { weight: 8, arbitrary: fc.record({ run: fc.constantFrom(...RUNS), round: fc.nat({ max: 9 }) }) },
    { weight: 2, arbitrary: fc.constantFrom('month' as const, 'restart' as const) },
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      using place = temporaryFolder()
      let month = 1
      const now = () => new Date(Date.UTC(2026, month, 1))
      const start = () =>
        openLedger(place.path, FINGERPRINT, BUDGET, { makeFilter: perStep(0.25), now, deferred: true })
      let ledger = start()
      /** Steps that were handed out: by period, and by run. */
      const periods = [0]
      const runs = new Map<string, number>()
      for (const run of RUNS) ledger.bind(run)
      for (const epsilon of [2, 6, 4])
        ledger.accept(renewal(`2026-0${epsilon + 2}-01`, { epsilon, at: now().toISOString() }))
      for (const step of actions) {
        if (step === 'month') month += 1
        else if (step === 'restart') {
          ledger[Symbol.dispose]()
          ledger = start()
          // a period that began and in which nothing followed was not written: it begins again
          if (periods.length > ledger.state.periods.length + 1) expect(periods.pop()).toBe(0)
        } else {
          if (ledger.renewIfDue() !== undefined) periods.push(0)
          try {
            const { event } = ledger.reserve(step.run.runId, step.round).entry
            periods.push(periods.pop()! + event.steps)
            runs.set(step.run.runId, (runs.get(step.run.runId) ?? 0) + event.steps)
          } catch (error) {
            expect((error as Error).message).toContain('BUDGET_EXHAUSTED')
          }
        }
        const given = [...ledger.state.periods.map((period) => period.given), ledger.state.given]
        for (const [index, steps] of periods.entries()) expect(steps * 0.25).toBeLessThanOrEqual(given[index]!.epsilon)
        for (const steps of runs.values()) expect(steps * 0.25).toBeLessThanOrEqual(BUDGET.epsilon)
      }
      ledger[Symbol.dispose]()
      using again = start()
      if (periods.length > again.state.periods.length + 1) expect(periods.pop()).toBe(0)
      expect(stepsOf(again.state)).toBe(periods.at(-1))
    }),
    { numRuns: 40 },
  )
})
