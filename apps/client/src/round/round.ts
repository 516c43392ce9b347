import { type AdapterState, trainedSpecs, trainedTensors, withTrained } from '@fedsvd/core/lora'
import {
  beginPrivateRound,
  canResume,
  type NoisedCounts,
  type PrivateRound,
  type Reservation,
  type SavedBytes,
  type SavedStepTerms,
  stepsOf,
} from '@fedsvd/core/privacy'
import type { RunManifest } from '@fedsvd/core/protocol'
import { isEvaluationRound } from '@fedsvd/core/site-evaluation'
import { type RecordSource, unitsIn } from '@fedsvd/engine/datasets'
import { type AttemptKey, attemptToGoOnWith, type BoundRun, lastAttempt } from '../ledger/index.ts'
import { turn } from '../platform/index.ts'
import { deliver } from './deliver.ts'
import { encodeUpdate, sha256 } from './encode-update.ts'
import { evaluateState, payForEvaluation } from './evaluate-state.ts'
import { loadState, schemaHash } from './load-state.ts'
import type { RoundParts } from './round-parts.ts'
import { type SumParts, sumDespiteFaults } from './sum-despite-faults.ts'

/**
 * One round: load the published state, reserve, train privately, put the result on disk, deliver it.
 *
 * Whether a frame was on disk before or has just been made, it leaves at the end of a slot: see `release-grid.ts`.
 *
 * A round that has a finished frame is only delivered again: the same bytes, no new noise. One that broke off in the
 * middle goes on behind the last step that was kept, and pays for the one that was lost.
 */
export async function runRound(parts: RoundParts): Promise<void> {
  const finished = (await parts.whenDiskHasRoom(() => finishedBefore(parts))) ?? (await train(parts))
  await parts.release.endOfSlot(parts.signal)
  await deliver(parts, finished)
}

/** The attempt whose frame is on disk, also when the process died before the ledger could say so. */
function finishedBefore({ ledger, outbox, invitation }: RoundParts): AttemptKey | undefined {
  const last = lastAttempt(ledger.state, invitation.runId, invitation.round)
  if (last === undefined || last.frameSha256 !== undefined) return last
  const rescued = outbox.find(last)
  if (rescued === undefined) return undefined
  ledger.finish(last, rescued)
  return last
}

async function train(parts: RoundParts): Promise<AttemptKey> {
  const { ledger, outbox, invitation, manifest, clientId, signal, whenDiskHasRoom } = parts
  const state = await loadState(parts, manifest.adapter)
  signal.throwIfAborted()
  parts.accept?.(state)
  await parts.resumeGate.value(signal) // nothing is paid for while the run stands still
  const agreed = {
    ...privateTerms(manifest, parts.run, clipNormOf(parts)),
    specs: trainedSpecs(manifest.adapter),
    startId: invitation.state.sha256,
  }
  await parts.engine.verify() // nothing is paid for before the runtime has passed its self-test
  const { reservation, resume } = await whenDiskHasRoom(() => pay(parts, agreed))
  const steps = stepsOf(reservation.entry)
  if (steps < agreed.steps) parts.onShortened({ steps, of: agreed.steps })
  const paid = await whenDiskHasRoom(() => payForEvaluation(ledger, manifest, { ...invitation, engine: parts.engine }))
  if (paid === undefined && isEvaluationRound(manifest, invitation.round)) parts.onNotEvaluated()
  await parts.report()
  const records = await whenDiskHasRoom(() => parts.records())
  signal.throwIfAborted()
  parts.release.begin() // nobody outside is waited for until the update leaves
  const start = trainedTensors(manifest.adapter, state)
  const round = beginPrivateRound({
    ...agreed,
    steps,
    agreedSteps: agreed.steps,
    start,
    reservation,
    source: parts.source,
    lotSource: parts.lotSource,
    ...parts.simulated?.ofRound(invitation.round),
    turn,
    ...(resume && { resume }),
  })
  if (reservation.entry.resumes !== undefined) parts.onResumed({ step: round.stepsDone, steps })
  while (round.stepsDone < steps) {
    await privateStep({ ...parts, records, steps }, state, round, round.stepsDone + 1)
    if (round.stepsDone < steps) await keep(parts, round)
  }
  const evaluation = paid && (await evaluate(parts, records.setAside!, paid, state))
  const update = await round.finish()
  await turn()
  const header = { basis: invitation.basis, clientId, schemaHash: schemaHash(manifest.adapter) }
  const frame = encodeUpdate(update, header, manifest, parts.simulated, evaluation)
  await turn()
  const key: AttemptKey = update.reserved
  const sha256OfFrame = await whenDiskHasRoom(() => outbox.put(key, frame))
  await whenDiskHasRoom(() => ledger.finish(key, sha256OfFrame))
  parts.snapshots.clear(invitation.runId, invitation.round)
  return key
}

/** Measures the state that the round started from on the units set aside: computing like that of a step. */
async function evaluate(
  parts: RoundParts,
  setAside: RecordSource,
  reservation: Reservation,
  state: AdapterState,
): Promise<NoisedCounts> {
  const { engine, manifest, source, signal, resumeGate } = parts
  await resumeGate.value(signal)
  using work = await parts.work(signal)
  const rest = (): Promise<void> => work.rest(async () => void (await resumeGate.value(signal)))
  return await evaluateState({ engine, manifest, setAside, reservation, source, signal, rest }, state)
}

/**
 * Pays for the round: for the one step that may have begun and was lost where an attempt broke off that can be gone on
 * with, else for all of it, as far as the budget goes.
 */
function pay(
  { ledger, snapshots, invitation: { runId, round } }: RoundParts,
  terms: SavedStepTerms,
): { readonly reservation: Reservation; readonly resume?: SavedBytes } {
  const broken = attemptToGoOnWith(ledger.state, runId, round)
  if (broken?.dataset !== ledger.fingerprint) return { reservation: ledger.reserve(runId, round) }
  if (broken.saved === undefined) return { reservation: ledger.resume(runId, round) }
  const bytes = snapshots.find(runId, round, broken.saved.sha256)
  const resume = bytes && { bytes, sha256 }
  const place = { runId, round, datasetFingerprint: ledger.fingerprint }
  return resume && canResume(resume, broken.saved.sha256, terms, place)
    ? { reservation: ledger.resume(runId, round), resume }
    : { reservation: ledger.reserve(runId, round) }
}

/** Makes a step durable, then its line in the ledger, and only then lets the next one begin. */
async function keep({ ledger, snapshots, whenDiskHasRoom }: RoundParts, round: PrivateRound): Promise<void> {
  const saved = await round.save()
  await whenDiskHasRoom(() => snapshots.put(saved))
  round.kept(await whenDiskHasRoom(() => ledger.stepped(saved)))
  snapshots.keepOnly(saved)
}

/** One step of DP-SGD: a Poisson lot, its exact clipped sum, and noise before anything else sees it. */
async function privateStep(
  parts: Omit<RoundParts, 'records'> & { readonly records: RecordSource; readonly steps: number },
  state: AdapterState,
  round: PrivateRound,
  step: number,
): Promise<void> {
  const { records, engine, manifest, signal, resumeGate, steps } = parts
  signal.throwIfAborted()
  await resumeGate.value(signal)
  using work = await parts.work(signal)
  const started = performance.now()
  const members = round.drawLot(unitsIn(records))
  const here = withTrained(manifest.adapter, state, round.current())
  const summing: SumParts = {
    engine,
    manifest,
    signal,
    resumeGate: () => work.rest(() => resumeGate.value(signal)),
    onPart: (done) => parts.onPart({ step, steps, done, of: members.length }),
    onFault: (error) => parts.onLotFault({ step, steps, error }),
  }
  const lot = { records, members, combine: manifest.unit?.combine }
  const sum = await sumDespiteFaults(summing, lot, here, clipNormOf(parts))
  await round.step(sum)
  const seconds = (performance.now() - started) / 1000
  parts.onStep({ step, steps, records: members.length, leftOut: sum.leftOut, seconds })
}

/** The clip norm in force: where it adapts, that of the invitation. */
function clipNormOf({ manifest, invitation }: Pick<RoundParts, 'manifest' | 'invitation'>): number {
  return (manifest.adaptiveClipping && invitation.clipNorm) ?? manifest.clipNorm
}

function privateTerms(
  { learningRate, momentum, adaptiveClipping }: RunManifest,
  { terms, event: { steps } }: BoundRun,
  clipNorm: number,
) {
  const { noiseMultiplier, sampleRate, declaredRecords } = terms
  const expectedLotSize = sampleRate * declaredRecords
  return {
    clipNorm,
    noiseMultiplier,
    sampleRate,
    steps,
    learningRate,
    momentum,
    expectedLotSize,
    ...(adaptiveClipping && { adaptiveClipping }),
  }
}
