import { createHash } from 'node:crypto'
import { assertPrivateUpdate, type PrivateUpdate } from '@fedsvd/core/privacy'
import { encodeFrame, type FrameHeader } from '@fedsvd/core/protocol'

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/**
 * The frame of an update. It takes nothing but what the private mechanism made: a raw gradient does not compile here, and
 * is refused at run time too.
 *
 * @throws FedsvdError RESERVATION_MISSING
 */
export function encodeUpdate(update: PrivateUpdate, header: Omit<FrameHeader, 'kind' | 'round' | 'runId'>): Uint8Array {
  assertPrivateUpdate(update)
  const { runId, round } = update.reserved
  return encodeFrame({ kind: 'update', ...header, runId, round, tensors: update.tensors }, sha256)
}
