import { FedsvdError, isFedsvdError, roundNumber } from '@fedsvd/core/errors'
import { updateNormBound } from '@fedsvd/core/federation'
import { splitNoise } from '@fedsvd/core/privacy'
import { frameBytes, type PrivacyTerms, type RunManifest, type UploadReply, updateSpecs } from '@fedsvd/core/protocol'
import { flatNorm } from '@fedsvd/core/tensor'
import type { Semaphore } from '../platform/index.ts'
import type { BlobStore, PendingBlob } from '../storage/objects/index.ts'
import type { RoundProgress } from '../storage/records/index.ts'
import type { RoundContext, RunMessages, RunSettings, RunStorage, RunTime } from './context.ts'
import { decodeUpdate, sha256 } from './frames.ts'
import { checkAdmissible, notOpen, type RoundEvent } from './progress.ts'
import { baseOf } from './stale-updates.ts'
import { earliestFor } from './staleness.ts'

export interface UpdatePlace {
  readonly round: number
  readonly clientId: string
}

/** The round under way, at the coordinator that owns the run or at another one. */
export interface ReceivingRound extends Pick<RoundContext, 'round' | 'base'> {
  readonly run: {
    readonly settings: Omit<RunSettings, 'plan'>
    readonly time: Pick<RunTime, 'clock'>
    readonly storage: Pick<RunStorage, 'store'>
    readonly messages: Pick<RunMessages, 'alert'>
  }
  readonly journal: Pick<RoundContext['journal'], 'progress'> & {
    dispatch(event: RoundEvent & { type: 'delivered' | 'late' }): Promise<unknown>
  }
}

export interface ReceivedUpdate {
  readonly manifest: RunManifest
  readonly place: UpdatePlace
  readonly stream: AsyncIterable<Uint8Array>
  readonly blobs: BlobStore
  /** The terms of the client; undefined for one that takes no part. */
  readonly terms: PrivacyTerms | undefined
  /** The most noise that a client of the run may state; the norm bound takes it where the client states more. */
  readonly mostNoise: () => Promise<number>
  /** The run is paused: a client that sends now is asked to send again later. */
  readonly isPaused: boolean
  /** The round under way, whichever it is; undefined when the run is not open. */
  readonly current: ReceivingRound | undefined
  /** The round of the update as it is stored, when it is not the one under way. */
  readonly stored: RoundProgress | undefined
  /** How many updates are held in memory at a time. */
  readonly gate: Semaphore
}

/**
 * Takes in one update: bounded, hashed while it is written, decoded, held against its norm bound, made durable, and
 * only then counted and acknowledged. The same bytes again are a duplicate, also when the round has closed since. Where
 * the run takes stale updates, one that its round did not count is counted by the round under way.
 *
 * @throws FedsvdError RUN_NOT_OPEN while the run is paused, or between two rounds for a stale update;
 *   UPDATE_UNEXPECTED, UPDATE_STALE, UPDATE_CONFLICT, NORM_EXCEEDED, STORAGE_UNAVAILABLE, or as `decodeFrame` does
 */
export async function receiveUpdate(update: ReceivedUpdate): Promise<UploadReply> {
  try {
    return await takeIn(update)
  } catch (error) {
    // The sender keeps its frame and tries again; operators, who can make room, are alerted.
    if (isFedsvdError(error, 'STORAGE_UNAVAILABLE')) {
      await update.current?.run.messages.alert(error.code, error.message).catch(() => {})
    }
    throw error
  }
}

async function takeIn(update: ReceivedUpdate): Promise<UploadReply> {
  const { manifest, place, stream, blobs, current, terms } = update
  const { clientId } = place
  const isCurrent = current?.round === place.round
  const acceptsStale = current?.run.settings.acceptsStaleUpdates ?? false
  const progress = isCurrent ? current.journal.progress : update.stored
  const { update: accepted } = checkAdmissible(progress, clientId, acceptsStale || update.isPaused)
  const limit = frameBytes(updateSpecs(manifest))
  if (accepted !== undefined) {
    await using again = await blobs.receive(stream, limit)
    if (again.sha256 !== accepted.sha256) throw conflict(accepted.sha256, again.sha256)
    return { status: 'duplicate', sha256: again.sha256 }
  }
  if (update.isPaused) throw notOpen('a run that is paused')
  if (current === undefined || terms === undefined) throw ended(place.round)
  if (!isCurrent) requireFresh(current, place.round)
  else if (progress!.phase !== 'tasked') throw closedJustNow(place.round)
  const base = isCurrent ? current.base : await baseOf(current.run, place.round)
  await using blob = await blobs.receive(stream, limit)
  const noiseMultiplier = Math.min(terms.noiseMultiplier, await update.mostNoise())
  const receiving = { run: current.run, round: place.round, base }
  await update.gate.run(() => requireNormWithinBound(blob, receiving, clientId, noiseMultiplier))
  const { sha256, bytes } = blob
  const { clock } = current.run.time
  if (!isCurrent) {
    await blob.keep()
    const at = clock.now()
    await current.journal.dispatch({ type: 'late', clientId, round: place.round, update: { sha256, bytes }, at })
    return { status: 'accepted', sha256 }
  }
  const before = checkAdmissible(current.journal.progress, clientId, acceptsStale)
  if (before.update === undefined) await blob.keep()
  await current.journal
    // The journal decides which of two uploads at the same time comes first.
    .dispatch({ type: 'delivered', clientId, update: { sha256, bytes }, at: clock.now() })
    .catch((error: unknown) => {
      throw acceptsStale && isFedsvdError(error, 'UPDATE_STALE') ? closedJustNow(place.round) : error
    })
  return { status: before.update === undefined ? 'accepted' : 'duplicate', sha256 }
}

/**
 * @throws FedsvdError UPDATE_STALE when the update is too old to be counted, RUN_NOT_OPEN when no round has begun that
 * could
 */
export function requireFresh(current: ReceivingRound, round: number): void {
  if (round < earliestFor(current.round, current.run.settings.manifest)) throw ended(round)
  if (current.journal.progress === undefined) throw notOpen(`round ${roundNumber(current.round)}, which has not begun`)
}

/** A round that has closed does not take what the next one will. */
function closedJustNow(round: number): FedsvdError {
  return notOpen(`round ${roundNumber(round)}, which has just closed`)
}

/** @throws FedsvdError NORM_EXCEEDED, or as `decodeFrame` does for a frame that is none */
async function requireNormWithinBound(
  blob: PendingBlob,
  { run, round, base }: Pick<ReceivingRound, 'run' | 'round' | 'base'>,
  clientId: string,
  statedNoise: number,
): Promise<void> {
  const { manifest, schemaHash } = run.settings
  const place = { schemaHash, round, basis: base.basis, clientId }
  const { tensors } = decodeUpdate(manifest, place, await blob.read(), sha256)
  const norm = flatNorm(tensors)
  const { clipNorm = manifest.clipNorm } = base
  const { sum: noiseMultiplier } = splitNoise(statedNoise, manifest.adaptiveClipping)
  const bound = updateNormBound({ ...manifest, clipNorm }, { noiseMultiplier })
  if (norm <= bound) return
  throw new FedsvdError('NORM_EXCEEDED', {
    expected: `an L2 norm of at most ${bound.toPrecision(6)}, which clipping and noise explain`,
    got: norm.toPrecision(6),
    remedy: 'Train with the clip norm, learning rate and noise multiplier of the run.',
  })
}

function conflict(accepted: string, got: string): FedsvdError {
  return new FedsvdError('UPDATE_CONFLICT', {
    expected: `the update with SHA-256 ${accepted}, which was accepted`,
    got: `another one, ${got}`,
    remedy: 'A retry sends the same bytes; the accepted update stands.',
  })
}

function ended(round: number): FedsvdError {
  return new FedsvdError('UPDATE_STALE', {
    expected: 'an update for a round that is open',
    got: `round ${roundNumber(round)} of a run that has ended or moved on`,
    remedy: 'Discard it and wait for the next invitation; the budget stays spent.',
  })
}
