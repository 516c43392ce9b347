import { type AdapterSchema, type AdapterState, trainedSpecs, trainedTensors } from '@fedsvd/core/adapters'
import { beginPrivateRound, type PrivateRound } from '@fedsvd/core/privacy'
import type { Invitation, RunManifest } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { RecordSource } from '@fedsvd/engine/lots'
import type { PrivateEngine } from '@fedsvd/engine/training'
import { type AttemptKey, type BoundRun, lastAttempt, type PrivacyLedger } from '../ledger/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { CoordinatorLink, Latest } from '../transport/index.ts'
import { deliver } from './deliver.ts'
import { encodeUpdate } from './encode-update.ts'
import { clippedLotSum } from './gradients.ts'
import { loadState, schemaHash } from './load-state.ts'

/** Everything that one round at one client needs. */
export interface RoundParts {
  readonly clientId: string
  readonly manifest: RunManifest
  readonly invitation: Invitation
  /** The newest upload token: a coordinator that came back may have issued another. */
  readonly uploadToken: Latest<string>
  /** There while the run is not paused. */
  readonly goAhead: Latest<true>
  readonly run: BoundRun
  readonly link: CoordinatorLink
  readonly ledger: PrivacyLedger
  readonly outbox: Outbox
  readonly engine: PrivateEngine
  readonly records: RecordSource
  readonly source: RandomSource
  /** Aborted when the round is closed; what was reserved stays spent. */
  readonly signal: AbortSignal
  /** Tells the coordinator what the ledger holds now. @throws FedsvdError LEDGER_MISMATCH */
  report(): Promise<void>
  /** Local progress, for this site's own eyes. */
  onPart(progress: { step: number; steps: number; done: number; of: number }): void
  onStep(progress: { step: number; steps: number; records: number; seconds: number }): void
}

/**
 * One round: load the published state, reserve, train privately, put the result on disk, deliver it.
 *
 * A round that has a finished frame is only delivered again: the same bytes, no new noise.
 */
export async function runRound(parts: RoundParts): Promise<void> {
  const finished = finishedBefore(parts) ?? (await train(parts))
  await parts.goAhead.value(parts.signal)
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
  const { ledger, outbox, invitation, manifest, clientId, signal } = parts
  const state = await loadState(parts.link, invitation, manifest.adapter, signal)
  signal.throwIfAborted()
  await parts.goAhead.value(signal) // nothing is paid for while the run stands still
  const reservation = ledger.reserve(invitation.runId, invitation.round)
  await parts.report()
  const round = beginPrivateRound({
    ...privateTerms(manifest, parts.run, clipNormOf(parts)),
    specs: trainedSpecs(manifest.adapter),
    start: trainedTensors(manifest.adapter, state),
    reservation,
    source: parts.source,
  })
  for (let step = 1; step <= manifest.localSteps; step += 1) await privateStep(parts, state, round, step)
  const update = round.finish()
  const header = { basis: invitation.basis, clientId, schemaHash: schemaHash(manifest.adapter) }
  const frame = encodeUpdate(update, header, manifest)
  const key: AttemptKey = update.reserved
  ledger.finish(key, outbox.put(key, frame))
  return key
}

/** One step of DP-SGD: a Poisson lot, its exact clipped sum, and noise before anything else sees it. */
async function privateStep(parts: RoundParts, state: AdapterState, round: PrivateRound, step: number): Promise<void> {
  const { records, engine, manifest, signal, goAhead } = parts
  signal.throwIfAborted()
  await goAhead.value(signal)
  const started = performance.now()
  const members = round.drawLot(records.size)
  const here = withTrained(manifest.adapter, state, round.current())
  const clipNorm = clipNormOf(parts)
  const { gridSum, votes } = await clippedLotSum(engine, { records, members }, here, clipNorm, signal, {
    goAhead,
    onPart: (done) => parts.onPart({ step, steps: manifest.localSteps, done, of: members.length }),
  })
  round.step(gridSum, manifest.adaptiveClipping && votes)
  const seconds = (performance.now() - started) / 1000
  parts.onStep({ step, steps: manifest.localSteps, records: members.length, seconds })
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

/** The state with other values of the trained tensors, in the order of `trainedSpecs`. */
function withTrained(schema: AdapterSchema, state: AdapterState, trained: readonly NamedTensor[]): AdapterState {
  const layers = schema.layers.length
  const head = schema.headMode === 'trained' ? trained.slice(layers) : state.head
  return { ...state, b: trained.slice(0, layers), head }
}
