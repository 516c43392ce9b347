import {
  type AdapterSchema,
  type AdapterState,
  canonicalSchema,
  stateFromTensors,
  stateSpecs,
  trainedSpecs,
  trainedTensors,
} from '@fedsvd/core/adapters'
import { beginPrivateRound, type PrivateRound } from '@fedsvd/core/privacy'
import { decodeFrame, type Invitation, NO_CLIENT, type RunManifest } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { EncodedRecord } from '@fedsvd/engine/data'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { type AttemptKey, type BoundRun, lastAttempt, type PrivacyLedger, sha256Hex } from '../ledger/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { CoordinatorLink } from '../transport/index.ts'
import { deliver } from './deliver.ts'
import { encodeUpdate, sha256 } from './encode-update.ts'

/** Everything that one round at one client needs. */
export interface RoundParts {
  readonly clientId: string
  readonly manifest: RunManifest
  readonly invitation: Invitation
  readonly run: BoundRun
  readonly link: CoordinatorLink
  readonly ledger: PrivacyLedger
  readonly outbox: Outbox
  readonly engine: TrainingEngine
  readonly records: readonly EncodedRecord[]
  readonly source: RandomSource
  /** Aborted when the round is closed; what was reserved stays spent. */
  readonly signal: AbortSignal
  /** Tells the coordinator what the ledger holds now. */
  report(): Promise<void>
  /** Local progress, for this site's own eyes. */
  onStep(progress: { step: number; steps: number; records: number; seconds: number }): void
}

/**
 * One round: load the published state, reserve, train privately, put the result on disk, deliver it.
 *
 * A round that has a finished frame is only delivered again: the same bytes, no new noise.
 */
export async function runRound(parts: RoundParts): Promise<void> {
  const { ledger, invitation } = parts
  const done = lastAttempt(ledger.state, invitation.runId, invitation.round)
  const finished = done?.frameSha256 !== undefined ? done : await train(parts)
  await deliver(parts, finished)
}

async function train(parts: RoundParts): Promise<AttemptKey> {
  const { ledger, outbox, invitation, manifest, clientId } = parts
  const state = await loadState(parts)
  const reservation = ledger.reserve(invitation.runId, invitation.round)
  await parts.report()
  const round = beginPrivateRound({
    ...privateTerms(manifest, parts.run),
    specs: trainedSpecs(manifest.adapter),
    start: trainedTensors(manifest.adapter, state),
    reservation,
    source: parts.source,
  })
  for (let step = 1; step <= manifest.localSteps; step += 1) await privateStep(parts, state, round, step)
  const update = round.finish()
  const frame = encodeUpdate(update, { basis: invitation.basis, clientId, schemaHash: schemaHash(manifest.adapter) })
  const key: AttemptKey = update.reserved
  ledger.finish(key, outbox.put(key, frame))
  return key
}

/** One step of DP-SGD: a Poisson lot, its exact clipped sum, and noise before anything else sees it. */
async function privateStep(parts: RoundParts, state: AdapterState, round: PrivateRound, step: number): Promise<void> {
  const { records, engine, manifest, signal } = parts
  signal.throwIfAborted()
  const started = performance.now()
  const lot = Array.from(round.drawLot(records.length), (index) => records[index]!)
  const { gridSum } = await engine.clippedLotSum(
    lot,
    withTrained(manifest.adapter, state, round.current()),
    manifest.clipNorm,
  )
  round.step(gridSum)
  parts.onStep({ step, steps: manifest.localSteps, records: lot.length, seconds: (performance.now() - started) / 1000 })
}

/** Fetches the published state and accepts it only when it is what the invitation names. */
async function loadState({ link, invitation, manifest, signal }: RoundParts): Promise<AdapterState> {
  const { runId, basis, state } = invitation
  const bytes = await link.fetchState(state.sha256, state.bytes, signal)
  const expectation = {
    kind: 'state',
    round: basis,
    basis,
    runId,
    clientId: NO_CLIENT,
    schemaHash: schemaHash(manifest.adapter),
  } as const
  const { tensors } = decodeFrame(bytes, { ...expectation, specs: stateSpecs(manifest.adapter) }, sha256)
  return stateFromTensors(manifest.adapter, basis, tensors)
}

function privateTerms(manifest: RunManifest, { terms, event }: BoundRun) {
  const { learningRate, momentum, expectedLotSize } = manifest
  return {
    clipNorm: event.clipNorm,
    noiseMultiplier: terms.noiseMultiplier,
    sampleRate: terms.sampleRate,
    steps: event.steps,
    learningRate,
    momentum,
    expectedLotSize,
  }
}

/** The state with other values of the trained tensors, in the order of `trainedSpecs`. */
function withTrained(schema: AdapterSchema, state: AdapterState, trained: readonly NamedTensor[]): AdapterState {
  const layers = schema.layers.length
  const head = schema.headMode === 'trained' ? trained.slice(layers) : state.head
  return { ...state, b: trained.slice(0, layers), head }
}

function schemaHash(schema: AdapterSchema): string {
  return sha256Hex(canonicalSchema(schema))
}
