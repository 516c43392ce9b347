import { appendFileSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beginClippedSum, beginPrivateRound, type PrivateRound, stepsOf } from '@fedsvd/core/privacy'
import { osRandomness } from '@fedsvd/engine/crypto'
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
import {
  interruptedAttempt,
  nextAttempt,
  openLedger,
  type PrivacyLedger,
  sha256Hex,
  spentEvents,
} from '../ledger/index.ts'
import { fileStepSnapshots, requireSnapshotsRecorded } from './step-snapshots.ts'

/*
 * The ledger and the snapshots of a round that is followed step by step. RUN_A has 5 steps a round, each costs 0.01.
 */

const SPECS = [{ name: 'b', shape: [3] }]
const makeFilter = perStep(0.01)
const hash = 'ab'.repeat(32)

function open(path: string, epsilon = 6): PrivacyLedger {
  const ledger = openLedger(path, FINGERPRINT, { ...BUDGET, epsilon }, { makeFilter })
  ledger.bind(sampleBound())
  return ledger
}

const begin = (reservation: ReturnType<PrivacyLedger['reserve']>, resume?: Uint8Array): PrivateRound => {
  const { clipNorm, noiseMultiplier, sampleRate } = sampleBound().event
  const start = [{ name: 'b', shape: [3], data: new Float32Array(3) }]
  const steps = stepsOf(reservation.entry)
  const terms = { clipNorm, noiseMultiplier, sampleRate, steps, agreedSteps: 5, learningRate: 0.1, expectedLotSize: 10 }
  const saved = resume && {
    resume: { bytes: resume, sha256: (bytes: Uint8Array) => Buffer.from(sha256Hex(bytes), 'hex') },
  }
  return beginPrivateRound({ ...terms, specs: SPECS, start, startId: 's', reservation, source: osRandomness, ...saved })
}
const step = async (round: PrivateRound) => {
  round.drawLot(5)
  await round.step(beginClippedSum({ specs: SPECS, clipNorm: sampleBound().event.clipNorm }).finish())
  return await round.save()
}

describe('a round that is followed step by step', () => {
  it('is charged one step when it goes on, behind the last step that was kept', async () => {
    using folder = temporaryFolder()
    const snapshots = fileStepSnapshots(folder.path, FINGERPRINT)
    {
      using ledger = open(folder.path)
      const round = begin(ledger.reserve(RUN_A, 0))
      for (const _ of [1, 2]) {
        const saved = await step(round)
        await snapshots.put(saved)
        round.kept(ledger.stepped(saved))
        snapshots.keepOnly(saved)
      }
      await step(round) // made, and lost
    }
    using ledger = open(folder.path)
    requireSnapshotsRecorded(folder.path, ledger)
    const { saved } = interruptedAttempt(ledger.state, RUN_A, 0)!
    expect(saved?.step).toBe(2)
    expect(nextAttempt(ledger.state, sampleBound(), 0, { dataset: FINGERPRINT })).toMatchObject({
      kind: 'resume',
      steps: 5,
    })
    expect(nextAttempt(ledger.state, sampleBound(), 1, { dataset: FINGERPRINT })).toEqual({ kind: 'anew', steps: 5 })
    const round = begin(ledger.resume(RUN_A, 0), snapshots.find(RUN_A, 0, saved!.sha256))
    expect(round.stepsDone).toBe(2)
    expect(spentEvents(ledger.state).map(({ steps }) => steps)).toEqual([5, 1])
    expect(interruptedAttempt(ledger.state, RUN_A, 0)?.saved).toEqual(saved)
    for (const _ of [3, 4]) round.kept(ledger.stepped(await step(round)))
    expect(interruptedAttempt(ledger.state, RUN_A, 0)?.saved?.step).toBe(4)
    await step(round)
    ledger.finish((await round.finish()).reserved, hash)
    expect(interruptedAttempt(ledger.state, RUN_A, 0)).toBeUndefined()
    expect(() => ledger.resume(RUN_A, 0)).toThrow('TERMS_CHANGED')
  })

  it('that no step of was kept begins anew for one step', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    begin(ledger.reserve(RUN_A, 0)).drawLot(5)
    expect(begin(ledger.resume(RUN_A, 0)).stepsDone).toBe(0)
    expect(spentEvents(ledger.state).map(({ steps }) => steps)).toEqual([5, 1])
  })

  it('goes on for nothing where the budget does not pay for the step, and has one step fewer', async () => {
    using folder = temporaryFolder()
    const snapshots = fileStepSnapshots(folder.path, FINGERPRINT)
    const goOn = (ledger: PrivacyLedger) => {
      const saved = interruptedAttempt(ledger.state, RUN_A, 0)?.saved
      return begin(ledger.resume(RUN_A, 0), saved && snapshots.find(RUN_A, 0, saved.sha256))
    }
    const keep = async (ledger: PrivacyLedger, round: PrivateRound) => {
      const saved = await step(round)
      await snapshots.put(saved)
      round.kept(ledger.stepped(saved))
    }
    {
      using ledger = open(folder.path, 0.055) // five steps and a half
      const round = begin(ledger.reserve(RUN_A, 0))
      for (const _ of [1, 2]) await keep(ledger, round)
    }
    {
      using ledger = open(folder.path)
      const round = goOn(ledger)
      expect([round.stepsDone, ledger.state.attempts[0]?.steps]).toEqual([2, 4])
      await keep(ledger, round)
      const beyond = await step(round)
      expect(() => ledger.stepped(beyond)).toThrow(/LEDGER_DAMAGED.*step 4 of 4/)
    }
    using ledger = open(folder.path)
    const round = goOn(ledger)
    expect([round.stepsDone, ledger.state.attempts[0]?.steps]).toEqual([3, 3])
    ledger.finish((await round.finish()).reserved, hash) // the three steps that were kept
    expect(spentEvents(ledger.state).map(({ steps }) => steps)).toEqual([5])
    expect(() => ledger.reserve(RUN_A, 0)).toThrow('TERMS_CHANGED')
  })

  it('has a single result per attempt, however often the attempt was shortened or asked for again', async () => {
    using folder = temporaryFolder()
    const snapshots = fileStepSnapshots(folder.path, FINGERPRINT)
    const another = 'cd'.repeat(32)
    {
      using ledger = open(folder.path, 0.055)
      const whole = begin(ledger.reserve(RUN_A, 0))
      for (const _ of [1, 2, 3, 4]) {
        const saved = await step(whole)
        await snapshots.put(saved)
        whole.kept(ledger.stepped(saved))
      }
      const saved = interruptedAttempt(ledger.state, RUN_A, 0)!.saved!
      const shorter = begin(ledger.resume(RUN_A, 0), snapshots.find(RUN_A, 0, saved.sha256))
      await step(whole) // of a process that was taken for dead
      const [first, second] = [(await whole.finish()).reserved, (await shorter.finish()).reserved]
      expect([first.attempt, second.attempt]).toEqual([1, 1]) // two results under one number
      ledger.finish(first, hash)
      expect(() => ledger.finish(second, another)).toThrow(/LEDGER_DAMAGED.*not finished yet/)
    }
    using ledger = open(folder.path)
    for (const ask of [() => ledger.reserve(RUN_A, 0), () => ledger.resume(RUN_A, 0)])
      expect(ask).toThrow('TERMS_CHANGED')
    expect(() => ledger.finish({ runId: RUN_A, round: 0, attempt: 1 }, another)).toThrow('LEDGER_DAMAGED')
    expect(ledger.state.attempts.map(({ frameSha256 }) => frameSha256)).toEqual([hash]) // the one that may be sent
  })

  it('has no fewer steps than were kept, and one at least', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path, 0.055)
    ledger.reserve(RUN_A, 0)
    for (const steps of [4, 3, 2, 1]) {
      expect(ledger.resume(RUN_A, 0).entry.resumes).toMatchObject({ attempt: 1, step: 0, steps, shortened: true })
    }
    expect(() => ledger.resume(RUN_A, 0)).toThrow('BUDGET_EXHAUSTED')
  })

  it('pays with delta for each time that it goes on: each may miss its slot', () => {
    using folder = temporaryFolder()
    const budget = { epsilon: 0.055, delta: 3.5e-12 } // of three releases, and of none more
    using ledger = openLedger(folder.path, FINGERPRINT, budget, { makeFilter })
    ledger.bind(sampleBound())
    ledger.reserve(RUN_A, 0)
    for (const steps of [4, 3]) expect(ledger.resume(RUN_A, 0).entry.resumes).toMatchObject({ steps, shortened: true })
    expect(() => ledger.resume(RUN_A, 0)).toThrow('BUDGET_EXHAUSTED')
  })

  it.each([
    ['for one step', 6],
    ['for nothing', 0.055],
  ])('does not go on %s with other data than it was begun with', (_, epsilon) => {
    using folder = temporaryFolder()
    {
      using ledger = open(folder.path, epsilon)
      begin(ledger.reserve(RUN_A, 0))
    }
    const other = 'cd'.repeat(32)
    using ledger = openLedger(folder.path, other, BUDGET, { makeFilter })
    expect(() => ledger.resume(RUN_A, 0)).toThrow(epsilon === 6 ? 'TERMS_CHANGED' : 'BUDGET_EXHAUSTED')
    if (epsilon === 6) expect(ledger.reserve(RUN_A, 0).entry).toMatchObject({ event: { steps: 5 }, attempt: 2 })
    expect([...ledger.state.datasets].includes(other)).toBe(epsilon === 6)
  })

  it('that the budget pays for in part is reserved in part', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path, 0.085)
    expect(ledger.reserve(RUN_A, 0).entry.event.steps).toBe(5)
    expect(ledger.reserve(RUN_A, 1).entry.event.steps).toBe(3)
    expect(() => ledger.reserve(RUN_A, 2)).toThrow('BUDGET_EXHAUSTED')
  })

  it('that a ledger of old left is never gone on with: all of its steps may have been made', () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    const { entry } = ledger.reserve(RUN_A, 0)
    const old = { ...ledger.state, attempts: ledger.state.attempts.map((one) => ({ ...one, stepwise: undefined })) }
    expect(interruptedAttempt(old, RUN_A, 0)).toBeUndefined()
    expect(nextAttempt(old, sampleBound(), 0, { dataset: FINGERPRINT })).toEqual({ kind: 'anew', steps: 5 })
    expect(interruptedAttempt(ledger.state, RUN_A, 0)?.attempt).toBe(entry.attempt)
  })

  it('has steps in their order, of its newest attempt, and not the last', async () => {
    using folder = temporaryFolder()
    using ledger = open(folder.path)
    const first = begin(ledger.reserve(RUN_A, 0))
    const one = await step(first)
    first.kept(ledger.stepped(one))
    expect(() => ledger.stepped(one)).toThrow(/LEDGER_DAMAGED.*step 2 of 5/)
    begin(ledger.reserve(RUN_A, 0))
    const other = await step(first)
    expect(() => ledger.stepped(other)).toThrow(/LEDGER_DAMAGED.*the newest attempt/)
    expect(() => ledger.stepped({ ...one } as never)).toThrow('RESERVATION_MISSING')
    expect(interruptedAttempt(ledger.state, RUN_A, 0)?.saved).toBeUndefined()
  })
})

describe('step snapshots', () => {
  const kept = async (folder: string, changes: { round?: number; run?: string } = {}) => {
    const { round = 0, run = RUN_A } = changes
    using ledger = open(folder)
    ledger.bind(sampleBound(sampleManifest({ runId: RUN_B })))
    const saved = await step(begin(ledger.reserve(run, round)))
    await fileStepSnapshots(folder, FINGERPRINT).put(saved)
    return saved
  }
  const names = (folder: string) => readdirSync(join(folder, 'checkpoints', FINGERPRINT))

  it('give back the bytes with the hash that is asked for, and no others', async () => {
    using folder = temporaryFolder()
    const snapshots = fileStepSnapshots(folder.path, FINGERPRINT)
    const saved = await kept(folder.path)
    const sha256 = sha256Hex(saved.bytes)
    expect(snapshots.find(RUN_A, 0, sha256)).toEqual(Buffer.from(saved.bytes))
    expect(snapshots.find(RUN_A, 1, sha256)).toBeUndefined()
    expect(snapshots.find(RUN_A, 0, hash)).toBeUndefined()
    const path = join(folder.path, 'checkpoints', FINGERPRINT, names(folder.path)[0]!)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    appendFileSync(path, '!')
    expect(snapshots.find(RUN_A, 0, sha256)).toBeUndefined()
  })

  it('take nothing but what the mechanism made', async () => {
    using folder = temporaryFolder()
    const saved = await kept(folder.path)
    const snapshots = fileStepSnapshots(folder.path, '00'.repeat(32))
    await expect(snapshots.put({ ...saved } as never)).rejects.toThrow('RESERVATION_MISSING')
    expect(existsSync(join(folder.path, 'checkpoints', '00'.repeat(32)))).toBe(false)
  })

  it('are removed for a run, up to a round', async () => {
    using folder = temporaryFolder()
    const snapshots = fileStepSnapshots(folder.path, FINGERPRINT)
    for (const changes of [{ round: 0 }, { round: 1 }, { round: 2 }, { round: 1, run: RUN_B }])
      await kept(folder.path, changes)
    snapshots.clear(RUN_A, 1)
    expect(names(folder.path).map((name) => name.slice(0, 38))).toEqual([`${RUN_A}-2`, `${RUN_B}-1`])
    snapshots.clear(RUN_A)
    expect(names(folder.path)).toHaveLength(1)
  })

  it('that the ledger does not know reveal that it is an old copy', async () => {
    using folder = temporaryFolder()
    await kept(folder.path)
    using ledger = open(folder.path)
    const place = join(folder.path, 'checkpoints', FINGERPRINT)
    const check = () => requireSnapshotsRecorded(folder.path, ledger)
    expect(check).not.toThrow() // one step further than the ledger: a crash between the file and its line
    writeFileSync(join(place, `${RUN_A}-0-1-1-${hash}.step.77.tmp`), 'half')
    expect(check).not.toThrow()
    writeFileSync(join(place, `${RUN_A}-0-1-2-${hash}.step`), 'later')
    expect(check).toThrow(/LEDGER_DAMAGED.*attempt 1 of round 1 .* up to step 1.*got step 2/)
    fileStepSnapshots(folder.path, FINGERPRINT).clear(RUN_A)
    writeFileSync(join(place, `${RUN_A}-0-2-1-${hash}.step`), 'another attempt')
    expect(check).toThrow('LEDGER_DAMAGED')
  })
})
