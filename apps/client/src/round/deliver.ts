import { isFedsvdError } from '@fedsvd/core/errors'
import type { Invitation } from '@fedsvd/core/protocol'
import { type AttemptKey, lastAttempt, type PrivacyLedger } from '../ledger/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { CoordinatorLink } from '../transport/index.ts'

/** What delivery needs. */
export interface DeliveryParts {
  readonly invitation: Invitation
  readonly link: CoordinatorLink
  readonly ledger: PrivacyLedger
  readonly outbox: Outbox
  readonly signal: AbortSignal
}

/**
 * Uploads a finished frame until the coordinator has answered for good: it has the frame, or will never take it. The link
 * retries whatever may pass; the bytes are the same every time.
 *
 * @throws FedsvdError the coordinator's refusal, after it has been noted
 */
export async function deliver(
  { invitation, link, ledger, outbox, signal }: DeliveryParts,
  key: AttemptKey,
): Promise<void> {
  const { runId, round, uploadToken } = invitation
  const attempt = lastAttempt(ledger.state, runId, round)
  if (attempt?.frameSha256 === undefined || attempt.outcome !== undefined) return
  const frame = outbox.get(key, attempt.frameSha256)
  try {
    const { status } = await link.upload({ runId, round, uploadToken, frame }, signal)
    ledger.acknowledge(key, status)
  } catch (error) {
    if (!isFedsvdError(error)) throw error
    ledger.acknowledge(key, 'refused', error.code)
    outbox.remove(key)
    throw error
  }
  outbox.remove(key)
}
