import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { type EnrolRequest, PROTOCOL_VERSION } from '@fedsvd/core/protocol'
import type { ClientStore } from '../store/index.ts'
import { publicKeyFrom } from './public-key.ts'

/** Makes single-use enrolment tokens. Only their hashes are stored: whoever reads the database cannot enrol. */
export async function createEnrolmentTokens(
  clients: ClientStore,
  { count, expiresInSeconds }: { readonly count: number; readonly expiresInSeconds: number },
  now: number,
): Promise<readonly string[]> {
  const tokens = Array.from({ length: count }, () => randomBytes(32).toString('base64url'))
  const expiresAt = now + expiresInSeconds * 1000
  await clients.addTokens(tokens.map((token) => ({ hash: hashOf(token), createdAt: now, expiresAt })))
  return tokens
}

/** Binds a new identity to a public key. @throws FedsvdError TOKEN_INVALID, PROTOCOL_VERSION, SIGNATURE_INVALID */
export async function enrol(clients: ClientStore, request: EnrolRequest, now: number): Promise<string> {
  checkProtocolVersion(request.protocolVersion)
  publicKeyFrom(request.publicKey)
  const { name, publicKey } = request
  const id = randomUUID()
  await clients.enrol(hashOf(request.token), { id, name, publicKey, enrolledAt: now })
  return id
}

export function checkProtocolVersion(version: number): void {
  if (version === PROTOCOL_VERSION) return
  throw new FedsvdError('PROTOCOL_VERSION', {
    expected: `protocol version ${PROTOCOL_VERSION}`,
    got: `version ${version}`,
    remedy: 'Run the same release of fedsvd on both sides.',
  })
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
