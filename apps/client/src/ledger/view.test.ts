import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { pld, rdp } from '@fedsvd/core/accounting'
import { deltaWithoutMisses } from '@fedsvd/core/privacy'
import { BUDGET, FINGERPRINT, RUN_A, sampleBound, TERMS } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { ledgerPath, openLedger } from './ledger.ts'
import { showLedger, verifyLedger } from './view.ts'

function threeRounds(folder: string): string {
  using ledger = openLedger(folder, FINGERPRINT, BUDGET)
  ledger.bind(sampleBound())
  for (const round of [0, 1, 2]) ledger.reserve(RUN_A, round)
  ledger.finish({ runId: RUN_A, round: 1, attempt: 1 }, 'ab'.repeat(32))
  return ledgerPath(folder)
}

describe('showLedger', () => {
  it('shows what was spent, by odometer and by the rule, and what is left', () => {
    using folder = temporaryFolder()
    const path = threeRounds(folder.path)
    const spent = [{ sampleRate: 0.1, noiseMultiplier: 2, steps: 15 }]
    const delta = deltaWithoutMisses(1e-5, 3)
    const epsilonPld = pld.epsilonUpperBound(spent, delta)
    const [view, ...others] = showLedger(folder.path)
    expect(others).toEqual([])
    expect(view).toMatchObject({
      path,
      name: 'site',
      datasets: [FINGERPRINT],
      budget: BUDGET,
      reservations: 3,
      unfinished: 2,
      steps: 15,
    })
    expect(view!.epsilonPld).toBeCloseTo(epsilonPld, 9)
    expect(view!.epsilonRdp).toBeCloseTo(rdp.epsilonUpperBound(spent, delta), 9)
    expect(view!.rule).toEqual({ kind: 'schedule', sampleRate: 0.1, noiseMultiplier: 2 })
    expect(view!.epsilonCharged).toBeCloseTo(epsilonPld, 9)
    expect(view!.remaining).toBeCloseTo(6 - epsilonPld, 9)
    expect(view!.entries.map(({ fact }) => fact.kind)).toEqual([
      'opened',
      'bound',
      'rule-fixed',
      'reserved',
      'reserved',
      'reserved',
      'finished',
    ])
  })

  it('shows no less than was released: the slots of time that releases may have missed are in its epsilon', () => {
    using folder = temporaryFolder()
    const budget = { epsilon: 6, delta: 1e-11 }
    {
      using ledger = openLedger(folder.path, FINGERPRINT, budget)
      ledger.bind(sampleBound(undefined, { ...TERMS, budget }))
      for (const round of [0, 1, 2]) ledger.reserve(RUN_A, round)
    }
    const spent = [{ sampleRate: 0.1, noiseMultiplier: 2, steps: 15 }]
    const [view] = showLedger(folder.path)
    const released = pld.epsilonUpperBound(spent, 1e-11 - 3e-12)
    expect(released).toBeGreaterThan(1.01 * pld.epsilonUpperBound(spent, 1e-11))
    for (const shown of [view!.epsilonPld, view!.epsilonCharged]) expect(shown).toBeGreaterThan(0.999999 * released)
  })

  it('reads one file as well, also while a client holds it, and changes nothing', () => {
    using folder = temporaryFolder()
    const path = threeRounds(folder.path)
    using _held = openLedger(folder.path, FINGERPRINT, BUDGET)
    appendFileSync(path, '{"at":"20') // a line that is being written
    const before = readFileSync(path)
    expect(showLedger(path)[0]).toMatchObject({ reservations: 3, tail: 'torn' })
    expect(readFileSync(path)).toEqual(before)
  })

  it('says what it wants when there is no ledger', () => {
    using folder = temporaryFolder()
    expect(() => showLedger(folder.path)).toThrow(
      'CONFIG_INVALID: expected a ledger file, or a state folder with ledgers',
    )
  })
})

describe('verifyLedger', () => {
  it('gives the head of a sound ledger', () => {
    using folder = temporaryFolder()
    const path = threeRounds(folder.path)
    const last = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)!
    expect(verifyLedger(folder.path)).toEqual([
      { path, entries: 7, head: (JSON.parse(last) as { hash: string }).hash, tail: 'none' },
    ])
  })

  it('gives the fault of a damaged one', () => {
    using folder = temporaryFolder()
    const path = threeRounds(folder.path)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"round":1', '"round":7'))
    const [verdict] = verifyLedger(path)
    expect(verdict!.fault?.message).toMatch(/LEDGER_DAMAGED.*line 5/)
  })
})
