import { isFedsvdError } from '@fedsvd/core/errors'
import type { UploadReply } from '@fedsvd/core/protocol'
import { type AttemptKey, lastAttempt } from '../ledger/index.ts'
import type { RoundParts } from './round-parts.ts'

/** What delivery needs of a round. */
export type DeliveryParts = Pick<
  RoundParts,
  | 'invitation'
  | 'uploadToken'
  | 'tokenCameAt'
  | 'link'
  | 'moment'
  | 'ledger'
  | 'outbox'
  | 'signal'
  | 'report'
  | 'whenDiskHasRoom'
>

/**
 * Errors of authentication, of the protocol's version, of the network or of the moment, not of the frame: it stays in
 * the outbox, to be sent again.
 */
const RETRYABLE_CODES: readonly string[] = [
  'TOKEN_INVALID',
  'FORBIDDEN',
  'RATE_LIMITED',
  'MESSAGE_INVALID',
  'PROTOCOL_VERSION',
  'COORDINATOR_UNREACHABLE',
  'CERTIFICATE_INVALID',
  'ROUTE_NOT_FOUND',
]

/**
 * Uploads a finished frame until the coordinator has answered for good: it has the frame, or will never take it. The
 * bytes are the same every time, so a coordinator that asks again after it has answered gets them again.
 *
 * The frame stays in the outbox until a later round of the run is answered; after that there is nothing to deliver.
 *
 * @throws FedsvdError the coordinator's refusal, after it has been noted
 */
export async function deliver(parts: DeliveryParts, key: AttemptKey): Promise<void> {
  const { ledger, outbox, invitation, whenDiskHasRoom } = parts
  const attempt = lastAttempt(ledger.state, invitation.runId, invitation.round)
  if (attempt?.frameSha256 === undefined) return
  if (attempt.outcome !== undefined && outbox.find(key) === undefined) return
  const frame = outbox.get(key, attempt.frameSha256)
  // A copy of this site's state that was made before the frame cannot begin the round anew: the coordinator knows the
  // ledger by now.
  await parts.report()
  try {
    const { status } = await upload(parts, frame)
    await whenDiskHasRoom(() => ledger.acknowledge(key, status))
    outbox.clear(invitation.runId, invitation.round)
  } catch (error) {
    if (!isFedsvdError(error) || RETRYABLE_CODES.includes(error.code)) throw error
    await whenDiskHasRoom(() => ledger.acknowledge(key, 'refused', error.code))
    outbox.clear(invitation.runId, invitation.round)
    throw error
  }
}

/** A token that is not taken waits for the next invitation to the same round, which brings another. */
async function upload(
  { link, moment, invitation, uploadToken, tokenCameAt, signal }: DeliveryParts,
  frame: Uint8Array,
): Promise<UploadReply> {
  const { runId, round } = invitation
  for (;;) {
    const token = await uploadToken.value(signal)
    if (moment !== undefined && tokenCameAt !== undefined) moment.at = Math.max(moment.at, tokenCameAt())
    try {
      return await link.upload({ runId, round, uploadToken: token, frame }, signal, moment)
    } catch (error) {
      if (!isFedsvdError(error, 'TOKEN_INVALID')) throw error
      uploadToken.clear(token)
    }
  }
}
