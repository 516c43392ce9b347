import { appendFileSync, cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixture } from '@fedsvd/testing/client/fixtures'
import { FINGERPRINT, perStep, RUN_A, RUN_B, sampleBound, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { chain, encodeEntry } from './chain.ts'
import { type LedgerFact, SITE_BUDGET } from './entry.ts'
import { ledgerPath, openLedger } from './ledger.ts'
import { lastAttempt, spentEvents } from './state.ts'
import { verifyLedgerBytes } from './verify.ts'

/*
 * The fixture is the state folder of a site as the release before wrote it: one ledger for each data set. The first
 * (budget 6) has a run of which round 0 was delivered and round 1 broke off behind its second step, the second (budget
 * 4) another run with one round.
 */
const GENEROUS = { epsilon: 100, delta: 1e-5 }
const FIRST = 'ec3d090530039879cf2eed8b7c331d46e68a20468d04aa4101a52ac66bdf359f'
const SECOND = 'e8376a3fb91857f82cdff1e95fb1085160ca63fc388aafd1c41247eef3fc8481'
const makeFilter = perStep(0.01)

/** A folder with the fixture's state in it. */
function earlierSite(): TemporaryFolder & { readonly state: string } {
  const folder = temporaryFolder()
  const state = join(folder.path, 'state')
  cpSync(fixture('ledgers-by-data-set', 'state'), state, { recursive: true })
  return { ...folder, state }
}
const open = (state: string, earlier: readonly string[] = [], fingerprint = FINGERPRINT) =>
  openLedger(state, fingerprint, GENEROUS, { makeFilter, earlier: earlier.map((stateDir) => ({ stateDir })) })
const oldPath = (state: string, name = FIRST) => join(state, 'ledgers', `${name}.jsonl`)

/** As an earlier release appends to its ledger. */
function append(path: string, name: string, ...facts: readonly LedgerFact[]): void {
  for (const fact of facts) {
    const { entries, head } = verifyLedgerBytes(readFileSync(path), name)
    appendFileSync(path, encodeEntry(chain(head, entries.length, '2026-02-01T00:00:00.000Z', fact)))
  }
}

describe('ledgers of the release before', () => {
  it('count in the site budget at the first start: their events, and the smallest of their budgets', () => {
    using site = earlierSite()
    using ledger = open(site.state)
    expect(ledger.state.name).toBe(SITE_BUDGET)
    expect(ledger.state.budget).toEqual({ epsilon: 4, delta: 1e-5 })
    // Rounds 0 and 1 of the first run have 5 steps each, the round of the second has 3.
    expect(spentEvents(ledger.state).map(({ steps }) => steps)).toEqual(expect.arrayContaining([5, 5, 3]))
    expect(spentEvents(ledger.state)).toHaveLength(3)
    expect([...ledger.state.datasets].sort()).toEqual([SECOND, FIRST].sort())
  })

  it('are adopted once, however often the site starts', () => {
    using site = earlierSite()
    const start = () => {
      using ledger = open(site.state)
      return ledger.state
    }
    const first = start()
    expect(start()).toEqual(first)
  })

  it('keep the terms of their runs, and go on behind the step that was kept', () => {
    using site = earlierSite()
    using ledger = open(site.state, [], FIRST)
    const run = ledger.state.runs.get(RUN_A)!
    expect(() => ledger.bind({ ...run, terms: { ...run.terms, noiseMultiplier: 1 } })).toThrow('TERMS_CHANGED')
    ledger.bind(run)
    const { entry } = ledger.resume(RUN_A, 1)
    expect(entry).toMatchObject({ attempt: 2, event: { steps: 1 }, resumes: { attempt: 1, step: 2 } })
    expect(() => ledger.reserve(RUN_A, 0)).toThrow('TERMS_CHANGED')
  })

  it('are closed for good: nothing can be spent by them any more', () => {
    using site = earlierSite()
    open(site.state)[Symbol.dispose]()
    const { entries } = verifyLedgerBytes(readFileSync(oldPath(site.state)), FIRST)
    const root = verifyLedgerBytes(readFileSync(ledgerPath(site.state)), SITE_BUDGET).entries[0]!.hash
    expect(entries.at(-1)!.fact).toEqual({ kind: 'moved', to: SITE_BUDGET, root })
  })

  it('count also where their folder is another one than that of the site', () => {
    using site = earlierSite()
    using home = temporaryFolder()
    using ledger = open(home.path, [site.state, site.state])
    expect(spentEvents(ledger.state)).toHaveLength(3)
    expect(ledger.state.budget.epsilon).toBe(4)
  })

  it('are adopted by one site only: another state folder gets no second budget of them', () => {
    using site = earlierSite()
    using home = temporaryFolder()
    open(home.path, [site.state])[Symbol.dispose]()
    expect(() => open(site.state)).toThrow(/LEDGER_LOCKED.*another state folder has adopted/)
    using again = open(home.path, [site.state])
    expect(spentEvents(again.state)).toHaveLength(3)
  })

  it('cannot be adopted while a client of the release before spends by them', () => {
    using site = earlierSite()
    using other = temporaryFolder()
    cpSync(site.state, other.path, { recursive: true })
    using _held = open(other.path)
    using home = temporaryFolder()
    expect(() => open(home.path, [other.path])).toThrow('LEDGER_LOCKED')
  })

  it.each([
    ['a line of one was changed', (text: string) => text.replace('"steps":5', '"steps":1')],
    ['a line of one was removed', (text: string) => text.split('\n').toSpliced(1, 1).join('\n')],
  ])('are refused where %s, and nothing is trained', (_, change) => {
    using site = earlierSite()
    const path = oldPath(site.state)
    writeFileSync(path, change(readFileSync(path, 'utf8')))
    expect(() => open(site.state)).toThrow('LEDGER_DAMAGED')
  })
})

describe('a ledger that was adopted', () => {
  const key = { runId: RUN_A, round: 2, attempt: 1 }
  const reserved = (ledger: ReturnType<typeof open>): LedgerFact => ({
    kind: 'reserved',
    ...key,
    event: ledger.state.runs.get(RUN_A)!.event,
    stepwise: true,
  })

  it('is charged for what it grew by afterwards, from a copy that was not closed', () => {
    using site = earlierSite()
    using copy = earlierSite()
    const fact = (() => {
      using ledger = open(site.state)
      return reserved(ledger)
    })()
    append(oldPath(copy.state), FIRST, fact)
    using ledger = open(site.state, [copy.state])
    expect(spentEvents(ledger.state)).toHaveLength(4)
    expect(lastAttempt(ledger.state, RUN_A, 2)).toMatchObject({ attempt: 1, dataset: FIRST })
    // The other ledger of the copy is the one that was adopted: it adds nothing.
    expect(ledger.state.adopted.size).toBe(2)
  })

  it('is charged also where this site has gone on with the same round, and its attempt is set aside', () => {
    using site = earlierSite()
    using copy = earlierSite()
    const fact = (() => {
      using ledger = open(site.state, [], FIRST)
      ledger.finish(ledger.reserve(RUN_A, 2).entry, 'ab'.repeat(32))
      return reserved(ledger)
    })()
    append(oldPath(copy.state), FIRST, fact)
    using ledger = open(site.state, [copy.state])
    expect(spentEvents(ledger.state)).toHaveLength(5)
    expect(lastAttempt(ledger.state, RUN_A, 2)).toMatchObject({ attempt: 1, frameSha256: 'ab'.repeat(32) })
  })

  it('lowers the budget of the site where it was lowered itself', () => {
    using site = earlierSite()
    using copy = earlierSite()
    open(site.state)[Symbol.dispose]()
    append(oldPath(copy.state), FIRST, { kind: 'budget-lowered', budget: { epsilon: 1, delta: 1e-6 } })
    using ledger = open(site.state, [copy.state])
    expect(ledger.state.budget).toEqual({ epsilon: 1, delta: 1e-6 })
  })

  it('stops the site where two copies of it were spent by', () => {
    using site = earlierSite()
    using copy = earlierSite()
    using other = earlierSite()
    const fact = (() => {
      using ledger = open(site.state)
      return reserved(ledger)
    })()
    append(oldPath(copy.state), FIRST, fact)
    append(oldPath(other.state), FIRST, { kind: 'budget-lowered', budget: { epsilon: 1, delta: 1e-6 } }, fact)
    expect(() => open(site.state, [copy.state, other.state])).toThrow(/LEDGER_MISMATCH.*entries that differ/)
  })

  it('gives nothing back where it was removed, or an older copy was put in its place', () => {
    using site = earlierSite()
    open(site.state)[Symbol.dispose]()
    const path = oldPath(site.state)
    const lines = readFileSync(path, 'utf8').split('\n')
    truncateSync(path, `${lines.slice(0, 3).join('\n')}\n`.length)
    {
      using ledger = open(site.state)
      expect(spentEvents(ledger.state)).toHaveLength(3)
    }
    for (const name of readdirSync(join(site.state, 'ledgers'))) {
      if (!name.startsWith(SITE_BUDGET)) truncateSync(join(site.state, 'ledgers', name))
    }
    using ledger = open(site.state)
    expect(spentEvents(ledger.state)).toHaveLength(3)
  })

  it('is verified with the ledger that adopted it', () => {
    using site = earlierSite()
    open(site.state)[Symbol.dispose]()
    const path = ledgerPath(site.state)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"steps":3', '"steps":1'))
    expect(() => open(site.state)).toThrow('LEDGER_DAMAGED')
  })

  it('may be the site ledger of another folder, which cannot be opened by itself any more', () => {
    using site = temporaryFolder()
    using home = temporaryFolder()
    {
      using ledger = open(site.path)
      ledger.bind(sampleBound(sampleManifest({ runId: RUN_B })))
      ledger.reserve(RUN_B, 0)
      ledger.charge('count', { ...sampleBound().event, steps: 1 })
    }
    using ledger = open(home.path, [site.path])
    expect(spentEvents(ledger.state)).toHaveLength(2)
    expect(() => open(site.path)).toThrow(/LEDGER_LOCKED.*adopted/)
  })
})

describe('a charge outside rounds', () => {
  const event = { ...sampleBound().event, sampleRate: 1, steps: 1 }

  it('is spent like a round, and stays so after a restart', () => {
    using folder = temporaryFolder()
    {
      using ledger = open(folder.path)
      const { entryHash } = ledger.charge('count', event)
      expect(readFileSync(ledgerPath(folder.path), 'utf8')).toContain(entryHash)
    }
    using ledger = open(folder.path)
    expect(ledger.state.charges).toEqual([{ purpose: 'count', dataset: FINGERPRINT, event }])
    expect(spentEvents(ledger.state)).toEqual([event])
  })

  it('is refused where the budget does not pay for it, and nothing is written', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, { epsilon: 1, delta: 1e-5 }, { makeFilter })
    const before = readFileSync(ledgerPath(folder.path))
    expect(() => ledger.charge('statistics', { ...event, steps: 101 })).toThrow(/BUDGET_EXHAUSTED.*this site/)
    expect(readFileSync(ledgerPath(folder.path))).toEqual(before)
  })

  it('counts against the run that it is for', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    expect(() => ledger.charge('evaluation', event, RUN_A)).toThrow('TERMS_CHANGED')
    ledger.bind(sampleBound())
    ledger.charge('evaluation', event, RUN_A)
    expect(spentEvents(ledger.state, RUN_A)).toEqual([event])
    expect(spentEvents(ledger.state, RUN_B)).toEqual([])
  })
})

describe('the head that a coordinator is told', () => {
  it('differs between ledgers of the same content: a salt that stays here keeps guesses from being tested', () => {
    const now = () => new Date('2026-01-01T00:00:00.000Z')
    const heads = [0, 1].map(() => {
      using folder = temporaryFolder()
      using ledger = openLedger(folder.path, FINGERPRINT, GENEROUS, { makeFilter, now })
      ledger.bind(sampleBound())
      return ledger.head
    })
    expect(heads.map((head) => head?.length)).toEqual([2, 2])
    expect(new Set(heads.map((head) => head?.head)).size).toBe(2)
  })
})
