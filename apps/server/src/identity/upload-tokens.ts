import { createHmac, timingSafeEqual } from 'node:crypto'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { uuidBytes, uuidText } from './uuid-bytes.ts'

/** What a token permits: one client's update in one round. */
export interface UploadRight {
  readonly runId: string
  readonly round: number
  readonly clientId: string
}

export interface UploadTokens {
  issue(right: UploadRight): string
  /** Who may upload to this round by this token. @throws FedsvdError TOKEN_INVALID */
  verify(token: string | undefined, place: Omit<UploadRight, 'clientId'>): string
}

const CLIENT_BYTES = 16

/**
 * Tokens that need no storage: the client's identifier and an HMAC-SHA256 over the right, so that a restarted
 * coordinator issues and accepts the same ones.
 */
export function uploadTokens(secret: Uint8Array): UploadTokens {
  const macOf = ({ runId, round, clientId }: UploadRight): Buffer =>
    createHmac('sha256', secret).update(`fedsvd-upload-v1:${runId}:${round}:${clientId}`).digest()
  return {
    issue: (right) => Buffer.concat([uuidBytes(right.clientId), macOf(right)]).toString('base64url'),
    verify(token, place) {
      const bytes = Buffer.from(token ?? '', 'base64url')
      if (bytes.length === CLIENT_BYTES + 32) {
        const clientId = uuidText(bytes.subarray(0, CLIENT_BYTES))
        if (timingSafeEqual(bytes.subarray(CLIENT_BYTES), macOf({ ...place, clientId }))) return clientId
      }
      throw new FedsvdError('TOKEN_INVALID', {
        expected: `the upload token of the invitation to round ${roundNumber(place.round)} of run ${place.runId}`,
        got: token === undefined ? 'no token' : 'a token that was not issued for it',
        remedy: 'Send it as "Authorization: Bearer <token>"; each invitation brings its own.',
      })
    },
  }
}
