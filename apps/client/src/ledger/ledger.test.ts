import { readFileSync, statSync } from 'node:fs'
import { rdp } from '@fedsvd/core/accounting'
import { MISS_PROBABILITY } from '@fedsvd/core/privacy'
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
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { type LedgerOptions, ledgerPath, openLedger } from './ledger.ts'
import { lastAttempt, spentEvents } from './state.ts'
import { unitOfLedger } from './unit.ts'

const SHA = 'ab'.repeat(32)
/**
 * One round of the sample run has 5 steps at 0.25 each: 1.25, so a budget of 6 pays for four rounds and four steps of a
 * fifth.
 */
const QUARTER_PER_STEP: LedgerOptions = { makeFilter: perStep(0.25) }

const open = (folder: string, budget: { epsilon: number; delta: number } = BUDGET, options = QUARTER_PER_STEP) =>
  openLedger(folder, FINGERPRINT, budget, options)
const bytes = (folder: string) => readFileSync(ledgerPath(folder))

describe('the ledger', () => {
  it('remembers everything when it is opened again', () => {
    using folder = temporaryFolder()
    {
      using ledger = open(folder.path)
      ledger.bind(sampleBound())
      const key = ledger.reserve(RUN_A, 0).entry
      ledger.finish(key, SHA)
      ledger.acknowledge(key, 'accepted')
      ledger.reserve(RUN_A, 1)
    }
    using again = open(folder.path)
    expect(again.state.runs.get(RUN_A)).toEqual({
      ...sampleBound(),
      agreedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
    const reserved = {
      runId: RUN_A,
      attempt: 1,
      dataset: FINGERPRINT,
      event: sampleBound().event,
      steps: 5,
      stepwise: true,
    }
    expect(again.state.attempts).toEqual([
      { ...reserved, round: 0, frameSha256: SHA, outcome: 'accepted' },
      { ...reserved, round: 1 },
    ])
  })

  it('gives a reservation only after its line is in the file', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    const { entry } = ledger.reserve(RUN_A, 0)
    expect(entry).toMatchObject({ runId: RUN_A, round: 0, attempt: 1, datasetFingerprint: FINGERPRINT, durable: true })
    expect(bytes(folder.path).toString().trimEnd().split('\n').at(-1)).toContain(entry.entryHash)
  })

  it('is readable by its owner only', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    expect(ledger.state.attempts).toEqual([])
    expect(statSync(ledgerPath(folder.path)).mode & 0o077).toBe(0)
  })

  it('counts an attempt that crashed before it had a frame: attempt 2 is paid for as well', () => {
    using folder = temporaryFolder()
    {
      using ledger = open(folder.path)
      ledger.bind(sampleBound())
      expect(ledger.reserve(RUN_A, 0).entry.attempt).toBe(1)
    }
    using again = open(folder.path)
    expect(again.reserve(RUN_A, 0).entry.attempt).toBe(2)
    expect(spentEvents(again.state)).toHaveLength(2)
  })

  it('pays nothing more for a round that has its frame', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    ledger.finish(ledger.reserve(RUN_A, 0).entry, SHA)
    expect(() => ledger.reserve(RUN_A, 0)).toThrow('TERMS_CHANGED')
    expect(spentEvents(ledger.state)).toHaveLength(1)
  })

  it('lets only the newest attempt finish a round', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    const first = ledger.reserve(RUN_A, 0).entry
    const second = ledger.reserve(RUN_A, 0).entry
    const before = bytes(folder.path)
    expect(() => ledger.finish(first, SHA)).toThrow('LEDGER_DAMAGED')
    expect(bytes(folder.path)).toEqual(before)
    ledger.finish(second, SHA)
    expect(lastAttempt(ledger.state, RUN_A, 0)).toMatchObject({ attempt: 2, frameSha256: SHA })
  })

  it('notes only the first of two last words', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    const key = ledger.reserve(RUN_A, 0).entry
    ledger.finish(key, SHA)
    ledger.acknowledge(key, 'accepted')
    const before = bytes(folder.path)
    ledger.acknowledge(key, 'duplicate')
    expect(bytes(folder.path)).toEqual(before)
  })
})

describe('the budget', () => {
  it('pays for a part of the round that would exceed it, refuses the next one, and writes nothing', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    for (let round = 0; round < 4; round += 1) ledger.reserve(RUN_A, round) // 4 x 1.25 = 5
    expect(ledger.reserve(RUN_A, 4).entry.event.steps).toBe(4)
    const before = bytes(folder.path)
    expect(() => ledger.reserve(RUN_A, 5)).toThrow(/BUDGET_EXHAUSTED.*at most 6.*6\.0000 spent.*6\.2500/)
    expect(bytes(folder.path)).toEqual(before)
    expect(spentEvents(ledger.state)).toHaveLength(5)
  })

  it('is enforced after a restart (trap: budget in memory only, privacy off after a restart)', () => {
    using folder = temporaryFolder()
    for (let round = 0; round < 5; round += 1) {
      using ledger = open(folder.path)
      ledger.bind(sampleBound())
      ledger.reserve(RUN_A, round)
    }
    using ledger = open(folder.path)
    expect(() => ledger.reserve(RUN_A, 5)).toThrow('BUDGET_EXHAUSTED')
  })

  it('is shared by runs and coordinators (trap: accountant re-created for each run)', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    ledger.bind({ ...sampleBound(sampleManifest({ runId: RUN_B })), coordinator: 'https://another.test' })
    for (const round of [0, 1]) for (const run of [RUN_A, RUN_B]) ledger.reserve(run, round)
    ledger.reserve(RUN_A, 2) // four steps of five
    expect(() => ledger.reserve(RUN_A, 3)).toThrow('BUDGET_EXHAUSTED')
    expect(() => ledger.reserve(RUN_B, 2)).toThrow('BUDGET_EXHAUSTED')
  })

  it('holds a run to what was granted to it, though the data set could pay more', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound(sampleManifest(), { ...TERMS, budget: { epsilon: 2, delta: 1e-5 } }))
    ledger.reserve(RUN_A, 0)
    expect(ledger.reserve(RUN_A, 1).entry.event.steps).toBe(3)
    expect(() => ledger.reserve(RUN_A, 2)).toThrow(/BUDGET_EXHAUSTED.*at most 2.*for this run/)
  })

  it('can be lowered by a restart with a smaller one, and never raised', () => {
    using folder = temporaryFolder()
    for (const [asked, holds] of [
      [6, 6],
      [3, 3],
      [9, 3],
    ] as const) {
      using ledger = open(folder.path, { epsilon: asked, delta: 1e-5 })
      expect(ledger.state.budget.epsilon).toBe(holds)
    }
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    ledger.reserve(RUN_A, 0)
    ledger.reserve(RUN_A, 1) // 2.5 of 3
    expect(ledger.reserve(RUN_A, 2).entry.event.steps).toBe(2)
    expect(() => ledger.reserve(RUN_A, 3)).toThrow('BUDGET_EXHAUSTED')
  })

  it('counts real participations, composed, not those expected on average (trap: 65 of 100 rounds shown as 50)', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path, { epsilon: 100, delta: 1e-5 }, {})
    ledger.bind(sampleBound(sampleManifest({ rounds: 10 }), { ...TERMS, budget: { epsilon: 100, delta: 1e-5 } }))
    for (const round of [0, 1, 2, 3, 5, 8, 9]) ledger.reserve(RUN_A, round)
    const shown = rdp.epsilonUpperBound(spentEvents(ledger.state), 1e-5)
    const seven = rdp.epsilonUpperBound([{ sampleRate: 0.1, noiseMultiplier: 2, steps: 35 }], 1e-5)
    const one = rdp.epsilonUpperBound([{ sampleRate: 0.1, noiseMultiplier: 2, steps: 5 }], 1e-5)
    expect(shown).toBeCloseTo(seven, 9)
    expect(shown).toBeGreaterThan(1.2 * one)
  })
})

describe('delta', () => {
  it('is held back for each release that may miss its slot of time, of a run and of the site', () => {
    using folder = temporaryFolder()
    const deltas: number[] = []
    const makeFilter: LedgerOptions['makeFilter'] = (rule) => ({
      ...perStep(0.25)(rule),
      allows: (_events, { delta }) => {
        deltas.push(delta)
        return true
      },
    })
    using ledger = open(folder.path, BUDGET, { makeFilter })
    ledger.bind(sampleBound())
    for (const round of [0, 1, 2]) ledger.reserve(RUN_A, round)
    // however often each reservation is judged, of what the run was granted and of what the site has
    const left = [1, 2, 3].map((releases) => BUDGET.delta - releases * MISS_PROBABILITY)
    expect([...new Set(deltas)]).toEqual(left)
  })
})

describe('the terms of a run', () => {
  it('can be bound again unchanged, from another address too, and write nothing then', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    const before = bytes(folder.path)
    ledger.bind({ ...sampleBound(), coordinator: 'https://moved.test' })
    expect(bytes(folder.path)).toEqual(before)
  })

  it.each([
    ['noiseMultiplier', sampleBound(sampleManifest(), { ...TERMS, noiseMultiplier: 1.9 })],
    ['sampleRate', sampleBound(sampleManifest(), { ...TERMS, sampleRate: 0.2 })],
    ['budget', sampleBound(sampleManifest(), { ...TERMS, budget: { epsilon: 5, delta: 1e-5 } })],
    ['clipNorm', sampleBound(sampleManifest({ clipNorm: 2 }))],
    ['steps', sampleBound(sampleManifest({ localSteps: 6 }))],
    ['learningRate, in the manifest only', sampleBound(sampleManifest({ learningRate: 0.2 }))],
  ])('cannot change: %s', (_, changed) => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    expect(() => ledger.bind(changed)).toThrow('TERMS_CHANGED')
    expect(ledger.state.runs.get(RUN_A)).toMatchObject(sampleBound())
  })

  it('are needed before anything is reserved: an unknown run trains nothing', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    expect(() => ledger.reserve(RUN_A, 0)).toThrow('TERMS_CHANGED')
  })
})

describe('a closed ledger', () => {
  it('reserves nothing', () => {
    using folder = temporaryFolder()
    const ledger = open(folder.path)
    ledger.bind(sampleBound())
    ledger[Symbol.dispose]()
    expect(() => ledger.reserve(RUN_A, 0)).toThrow('LEDGER_DAMAGED')
  })
})

describe('the unit of a ledger', () => {
  const person = { kind: 'person', maxRecords: 3, combine: 'mean' } as const
  const ofPersons = (runId: string) => sampleBound(sampleManifest({ runId, unit: person }))

  it('is that of its first run, and no run of another one is bound', () => {
    using folder = temporaryFolder()
    {
      using ledger = open(folder.path)
      expect(unitOfLedger(ledger.state)).toBeUndefined()
      ledger.bind(ofPersons(RUN_A))
      expect(ledger.reserve(RUN_A, 0).entry.event.unit).toBe('person')
      const before = bytes(folder.path)
      expect(() => ledger.bind(sampleBound(sampleManifest({ runId: RUN_B })))).toThrow(/SITE_DECLINED.*person.*record/)
      expect(bytes(folder.path)).toEqual(before)
    }
    using again = open(folder.path)
    expect(unitOfLedger(again.state)).toBe('person')
    again.bind(ofPersons(RUN_B))
  })

  it('cannot become persons where it was records', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    ledger.bind(sampleBound())
    expect(() => ledger.bind(ofPersons(RUN_B))).toThrow(/SITE_DECLINED.*record.*person/)
  })
})
