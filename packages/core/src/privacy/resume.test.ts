import { createHash } from 'node:crypto'
import { clippedSumOf } from '@fedsvd/testing/core/clipped-sums'
import { asOperatingSystem } from '@fedsvd/testing/core/scripted-source'
import { describe, expect, it } from 'vitest'
import type { PrivacyEvent } from '../accounting/index.ts'
import { RandomBits, seededSource } from '../random/index.ts'
import { sizeOf, type TensorSpec } from '../tensor/index.ts'
import { beginPrivateRound, canResume, type PrivateRound, type PrivateRoundOptions } from './private-round.ts'
import type { PrivateUpdate } from './private-update.ts'
import { durableStepFrom, type ReservedEntry, type Resumption, reservationFrom } from './reservation.ts'
import { assertSavedStep, type SavedStep } from './saved-step.ts'

/*
 * A round that breaks off and is gone on with in another process. What a crash takes away is the round object; what is
 * left is the bytes of the last saved step and what the ledger says.
 */

const SPECS: readonly TensorSpec[] = [
  { name: 'b', shape: [4, 5] },
  { name: 'head', shape: [7] },
]
const STEPS = 4
const EVENT: PrivacyEvent = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 0.3,
  noiseMultiplier: 0.8,
  steps: STEPS,
  clipNorm: 1.5,
  relation: 'add-or-remove-one',
  unit: 'record',
}
const ADAPTIVE = { quantile: 0.5, learningRate: 0.2, countShare: 0.1 }

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
const hex = (bytes: Uint8Array): string => Buffer.from(sha256(bytes)).toString('hex')

const entry = (changes: Partial<ReservedEntry> = {}): ReservedEntry => ({
  event: EVENT,
  runId: 'run',
  round: 4,
  attempt: 1,
  datasetFingerprint: 'data',
  entryHash: 'hash',
  durable: true,
  stepwise: true,
  ...changes,
})

/** The entry with which a ledger pays for going on behind `saved`. */
const resuming = (saved: SavedStep | undefined, changes: Partial<Resumption> = {}): ReservedEntry =>
  entry({
    attempt: 2,
    event: { ...EVENT, steps: 1 },
    resumes: {
      attempt: 1,
      step: saved?.step ?? 0,
      steps: STEPS,
      savedSha256: saved && hex(saved.bytes),
      ...changes,
    },
  })

type Changes = Partial<PrivateRoundOptions>
const options = (changes: Changes = {}, paid: ReservedEntry = entry()): PrivateRoundOptions => {
  const { clipNorm, noiseMultiplier, sampleRate } = EVENT
  return {
    specs: SPECS,
    start: SPECS.map(({ name, shape }) => ({ name, shape, data: new Float32Array(sizeOf(shape)).fill(0.25) })),
    startId: 'published',
    reservation: reservationFrom(paid),
    clipNorm,
    noiseMultiplier,
    sampleRate,
    steps: STEPS,
    learningRate: 0.5,
    expectedLotSize: 3,
    momentum: 0.9,
    source: noise(),
    ...changes,
  }
}
const noise = (seed = 'noise'): RandomBits => RandomBits.from(asOperatingSystem(seededSource(seed)))
const sums = (step: number) =>
  clippedSumOf(
    { specs: SPECS, clipNorm: EVENT.clipNorm },
    SPECS.map(({ shape }) => new Float64Array(sizeOf(shape)).fill(1000 * step)),
    3,
  )

const proof = ({ reserved: { runId, round, attempt }, step }: SavedStep) =>
  durableStepFrom({ runId, round, attempt, step, durable: true })

/** Makes steps up to `upTo`, keeping each but the last. @returns the last kept */
async function steps(round: PrivateRound, upTo: number): Promise<SavedStep | undefined> {
  let saved: SavedStep | undefined
  while (round.stepsDone < upTo) {
    round.drawLot(20)
    await round.step(sums(round.stepsDone + 1))
    if (round.stepsDone === STEPS) break
    saved = await round.save()
    round.kept(proof(saved))
  }
  return saved
}

async function whole(changes: Changes = {}): Promise<PrivateUpdate> {
  const round = beginPrivateRound(options(changes))
  await steps(round, STEPS)
  return await round.finish()
}

const resume = (saved: SavedStep, bytes: Uint8Array = saved.bytes, changes: Changes = {}, paid = resuming(saved)) =>
  beginPrivateRound(options({ resume: { bytes, sha256 }, ...changes }, paid))

describe('a round that is gone on with', () => {
  it.each([1, 2, 3])('behind step %d ends with the update of a round that never broke off, bit for bit', async (at) => {
    for (const adaptiveClipping of [undefined, ADAPTIVE]) {
      const terms: Changes = adaptiveClipping ? { adaptiveClipping } : {}
      const source = noise()
      const saved = (await steps(beginPrivateRound(options({ ...terms, source })), at))!
      const round = resume(saved, Uint8Array.from(saved.bytes), { ...terms, source })
      expect(round.stepsDone).toBe(at)
      await steps(round, STEPS)
      const update = await round.finish()
      const expected = await whole(terms)
      expect(update.tensors).toEqual(expected.tensors)
      expect(update.shareUnderClip).toBe(expected.shareUnderClip)
      expect(update.randomness).toBe('secure')
      expect(update.reserved.attempt).toBe(2)
    }
  })

  it('has other noise than the step that was lost', async () => {
    const saved = (await steps(beginPrivateRound(options()), 1))!
    const endOf = async (seed: string) => {
      const round = resume(saved, saved.bytes, { source: noise(seed) })
      await steps(round, 2)
      return round.current()
    }
    const ends = [await endOf('one'), await endOf('two')]
    expect(ends[0]).not.toEqual(ends[1])
  })

  it('begins anew where no step was kept, for one step’s payment', async () => {
    const round = beginPrivateRound(options({}, resuming(undefined)))
    expect(round.stepsDone).toBe(0)
    await steps(round, STEPS)
    expect((await round.finish()).tensors).toEqual((await whole()).tensors)
  })

  it('makes no more steps than the round has', async () => {
    const saved = (await steps(beginPrivateRound(options()), 3))!
    const round = resume(saved)
    round.drawLot(20)
    await round.step(sums(4))
    expect(() => round.drawLot(20)).toThrow('RESERVATION_MISSING')
  })

  it('stays NOT PRIVATE when one of its steps was', async () => {
    const saved = (await steps(beginPrivateRound(options({ source: seededSource('public') })), 1))!
    const round = resume(saved)
    await steps(round, STEPS)
    expect((await round.finish()).randomness).toBe('NOT PRIVATE')
  })
})

describe('numbers from a disk do not become an update', async () => {
  const saved = (await steps(beginPrivateRound(options()), 2))!
  const refused = (begin: () => unknown) => expect(begin).toThrow('RESERVATION_MISSING')

  it('when a bit of them changed', () => {
    for (const at of [0, 40, saved.bytes.length - 1]) {
      const changed = Uint8Array.from(saved.bytes)
      changed[at]! ^= 1
      refused(() => resume(saved, changed))
    }
    refused(() => resume(saved, saved.bytes.subarray(0, saved.bytes.length - 8)))
    refused(() => resume(saved, new Uint8Array(0)))
  })

  it('when the ledger recorded another step, or none, or does not resume at all', async () => {
    const other = (await steps(beginPrivateRound(options({ source: noise('other') })), 2))!
    refused(() => resume(saved, other.bytes))
    refused(() => resume(saved, saved.bytes, {}, resuming(saved, { step: 1 })))
    refused(() => resume(saved, saved.bytes, {}, resuming(undefined)))
    refused(() => resume(saved, saved.bytes, {}, entry({ attempt: 2 })))
    refused(() => beginPrivateRound(options({}, resuming(saved))))
  })

  it.each<[string, Changes, Partial<ReservedEntry>]>([
    ['start', { startId: 'another state' }, {}],
    ['learning rate', { learningRate: 0.4 }, {}],
    ['momentum', { momentum: 0 }, {}],
    ['expected lot', { expectedLotSize: 4 }, {}],
    ['round', {}, { round: 5 }],
    ['run', {}, { runId: 'another' }],
    ['data set', {}, { datasetFingerprint: 'another' }],
  ])('when they are of another %s', (_, changes, other) => {
    const paid = { ...resuming(saved), ...other }
    refused(() => resume(saved, saved.bytes, changes, paid))
    const given = { bytes: saved.bytes, sha256 }
    const { runId, round, datasetFingerprint } = paid
    expect(canResume(given, hex(saved.bytes), options(changes), { runId, round, datasetFingerprint })).toBe(false)
    expect(canResume(given, hex(saved.bytes), options(), entry())).toBe(true)
    expect(canResume(given, hex(new Uint8Array(1)), options(), entry())).toBe(false)
  })

  it('when nothing but the shape is right', () => {
    const alike: unknown = Object.create(
      Object.getPrototypeOf(saved) as object,
      Object.getOwnPropertyDescriptors(saved),
    )
    for (const forged of [{ ...saved }, alike, saved.bytes, null, undefined]) {
      expect(() => assertSavedStep(forged)).toThrow('RESERVATION_MISSING')
    }
    expect(() => assertSavedStep(saved)).not.toThrow()
  })

  it('when steps are left out in the name of another attempt: each is a release of its own', () => {
    const shortened = (attempt: number): ReservedEntry =>
      entry({ attempt: 2, resumes: { attempt, step: 0, steps: STEPS, savedSha256: undefined, shortened: true } })
    expect(() => reservationFrom(shortened(2))).not.toThrow()
    expect(() => reservationFrom(shortened(1))).toThrow(/one step paid for or left out/)
  })

  it('when the entry is none that a ledger writes for going on', () => {
    for (const wrong of [
      { event: EVENT },
      { stepwise: false },
      { attempt: 1 },
      { resumes: { ...resuming(saved).resumes!, step: STEPS } },
      { resumes: { ...resuming(saved).resumes!, step: 0 } },
      { resumes: { ...resuming(saved).resumes!, savedSha256: undefined } },
    ]) {
      refused(() => reservationFrom({ ...resuming(saved), ...wrong }))
    }
  })
})

describe('the next step', () => {
  const afterOne = async (paid = entry()) => {
    const round = beginPrivateRound(options({}, paid))
    round.drawLot(20)
    await round.step(sums(1))
    return round
  }

  it('does not begin before the one before it is kept', async () => {
    const round = await afterOne()
    expect(() => round.drawLot(20)).toThrow('STEP_ORDER')
    const saved = await round.save()
    expect(() => round.drawLot(20)).toThrow('STEP_ORDER')
    round.kept(proof(saved))
    expect(() => round.drawLot(20)).not.toThrow()
  })

  it('does not begin on the proof of another step, attempt or round, or on something like a proof', async () => {
    const { runId, round: number } = entry()
    const right = { runId, round: number, attempt: 1, step: 1, durable: true }
    for (const wrong of [{ step: 2 }, { attempt: 2 }, { round: 5 }, { runId: 'another' }]) {
      const round = await afterOne()
      expect(() => round.kept(durableStepFrom({ ...right, ...wrong }))).toThrow('RESERVATION_MISSING')
    }
    const alike = Object.create(Object.getPrototypeOf(durableStepFrom(right)) as object, { kept: { value: right } })
    for (const forged of [{ kept: right }, alike, undefined]) {
      const round = await afterOne()
      expect(() => round.kept(forged as never)).toThrow('RESERVATION_MISSING')
    }
    expect(() => durableStepFrom({ ...right, durable: false })).toThrow('RESERVATION_MISSING')
    const round = await afterOne()
    expect(() => round.kept(durableStepFrom(right))).not.toThrow()
  })

  it('needs no proof where no ledger follows the round', async () => {
    const round = await afterOne(entry({ stepwise: false }))
    expect(() => round.drawLot(20)).not.toThrow()
  })

  it('cannot be saved before it is made, with a lot drawn, or after the end', async () => {
    const round = beginPrivateRound(options())
    await expect(round.save()).rejects.toThrow('STEP_ORDER')
    round.drawLot(20)
    await expect(round.save()).rejects.toThrow('STEP_ORDER')
    await round.step(sums(1))
    round.kept(proof(await round.save()))
    await steps(round, STEPS)
    await round.finish()
    await expect(round.save()).rejects.toThrow('STEP_ORDER')
  })
})
