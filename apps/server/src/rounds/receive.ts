import { FedsvdError } from '@fedsvd/core/errors'
import { updateNormBound } from '@fedsvd/core/federation'
import { splitNoise } from '@fedsvd/core/privacy'
import { frameBytes, type PrivacyTerms, type RunManifest, type UploadReply, updateSpecs } from '@fedsvd/core/protocol'
import { flatNorm } from '@fedsvd/core/tensor'
import type { BlobStore, PendingBlob } from '../blobs/index.ts'
import type { RoundProgress } from '../store/index.ts'
import type { RoundContext } from './context.ts'
import { decodeUpdate } from './frames.ts'
import type { Gate } from './gate.ts'
import { checkAdmissible, type RoundEvent } from './progress.ts'

export interface UpdatePlace {
  readonly round: number
  readonly clientId: string
}

/** The round that an update is for, at the coordinator that drives it or at another one. */
export interface ReceivingRound extends Pick<RoundContext, 'round' | 'base'> {
  readonly run: Pick<RoundContext['run'], 'manifest' | 'schemaHash' | 'clock'>
  readonly book: Pick<RoundContext['book'], 'progress'> & {
    dispatch(event: RoundEvent & { type: 'delivered' }): Promise<unknown>
  }
}

export interface ReceivedUpdate {
  readonly manifest: RunManifest
  readonly place: UpdatePlace
  readonly stream: AsyncIterable<Uint8Array>
  readonly blobs: BlobStore
  /** The terms of the client; undefined for one that takes no part. */
  readonly terms: PrivacyTerms | undefined
  /** The round under way when it is this one. */
  readonly current: ReceivingRound | undefined
  /** The round as it is stored, when it is not under way. */
  readonly stored: RoundProgress | undefined
  /** How many updates are held in memory at a time. */
  readonly gate: Gate
}

/**
 * Takes in one update: bounded, hashed while it is written, decoded, held against its norm bound, made durable, and only
 * then counted and acknowledged. The same bytes again are a duplicate, also when the round has closed since.
 *
 * @throws FedsvdError UPDATE_UNEXPECTED, UPDATE_STALE, UPDATE_CONFLICT, NORM_EXCEEDED, or as `decodeFrame` does
 */
export async function receiveUpdate(update: ReceivedUpdate): Promise<UploadReply> {
  const { manifest, place, stream, blobs, current, terms } = update
  const { clientId } = place
  const { update: accepted } = checkAdmissible(current?.book.progress ?? update.stored, clientId)
  const limit = frameBytes(updateSpecs(manifest))
  if (accepted !== undefined) {
    await using again = await blobs.receive(stream, limit)
    if (again.sha256 !== accepted.sha256) throw conflict(accepted.sha256, again.sha256)
    return { status: 'duplicate', sha256: again.sha256 }
  }
  if (current === undefined || terms === undefined) throw ended(place.round)
  await using blob = await blobs.receive(stream, limit)
  await update.gate.run(() => check(blob, current, clientId, terms))
  const before = checkAdmissible(current.book.progress, clientId)
  if (before.update === undefined) await blob.keep()
  const { sha256, bytes } = blob
  await current.book.dispatch({ type: 'delivered', clientId, update: { sha256, bytes }, at: current.run.clock.now() })
  return { status: before.update === undefined ? 'accepted' : 'duplicate', sha256 }
}

async function check(
  blob: PendingBlob,
  { run, round, base }: ReceivingRound,
  clientId: string,
  terms: PrivacyTerms,
): Promise<void> {
  const { manifest, schemaHash } = run
  const { tensors } = decodeUpdate(manifest, { schemaHash, round, basis: base.basis, clientId }, await blob.read())
  const norm = flatNorm(tensors)
  const { clipNorm = manifest.clipNorm } = base
  const { sum: noiseMultiplier } = splitNoise(terms.noiseMultiplier, manifest.adaptiveClipping)
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
    got: `round ${round} of a run that has ended or moved on`,
    remedy: 'Discard it and wait for the next invitation; the budget stays spent.',
  })
}
