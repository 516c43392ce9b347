import { randomBytes, verify } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { type ClientHandshake, requireProtocol, sessionChallengeText } from '@fedsvd/core/protocol'
import { publicKeyFrom } from '@fedsvd/engine/crypto'
import type { ClientRecord, ClientStore } from '../storage/records/index.ts'

export const NONCE_LIFETIME_MS = 60_000
const MOST_NONCES = 100_000

/** Who is connected, proved by a signature; kept in memory, as a connection does not outlive the process. */
export interface Sessions {
  /** A nonce for this client, valid once and for a minute. */
  challenge(clientId: string): string
  /**
   * Checks a handshake and uses its nonce up. @throws FedsvdError PROTOCOL_VERSION, TOKEN_INVALID, SIGNATURE_INVALID
   */
  authenticate(handshake: ClientHandshake): Promise<ClientRecord>
  /** A bearer token for the connection that has begun. */
  begin(clientId: string, connectionId: string): string
  end(token: string): void
  /** @throws FedsvdError FORBIDDEN when the client has been revoked */
  requireGoodStanding(clientId: string): Promise<void>
  /** The client whose live connection has this token. @throws FedsvdError TOKEN_INVALID */
  clientOf(token: string | undefined): Promise<string>
}

export function createSessions(clients: ClientStore, now: () => number): Sessions {
  const nonces = new Map<string, { readonly clientId: string; readonly expiresAt: number }>()
  const sessions = new Map<string, string>()

  async function takeNonce(nonce: string, clientId: string): Promise<void> {
    const issued = nonces.get(nonce)
    nonces.delete(nonce)
    if (issued !== undefined && issued.clientId === clientId && issued.expiresAt > now()) return
    throw nonceRefused(
      issued === undefined ? 'one that was not issued, or was used before' : 'one that is foreign or has expired',
    )
  }

  return {
    challenge(clientId) {
      // Insertion order is age: what has expired, or is too much, is at the front.
      for (const [nonce, { expiresAt }] of nonces) {
        if (expiresAt > now() && nonces.size < MOST_NONCES) break
        nonces.delete(nonce)
      }
      const nonce = randomBytes(32).toString('base64url')
      nonces.set(nonce, { clientId, expiresAt: now() + NONCE_LIFETIME_MS })
      return nonce
    },
    authenticate: (handshake) => authenticate(clients, handshake, takeNonce),
    requireGoodStanding: (clientId) => requireGoodStanding(clients, clientId),
    begin(clientId) {
      const token = randomBytes(32).toString('base64url')
      sessions.set(token, clientId)
      return token
    },
    end: (token) => void sessions.delete(token),
    async clientOf(token) {
      const clientId = token === undefined ? undefined : sessions.get(token)
      if (clientId !== undefined) return clientId
      throw sessionRefused(token)
    },
  }
}

/** The client whose handshake it is. `takeNonce` throws unless the nonce was issued to it, lately, and uses it up. */
export async function authenticate(
  clients: ClientStore,
  { protocolVersion, clientId, nonce, signature }: ClientHandshake,
  takeNonce: (nonce: string, clientId: string) => Promise<void>,
): Promise<ClientRecord> {
  requireProtocol(protocolVersion, 'client')
  await takeNonce(nonce, clientId)
  const client = await clients.find(clientId)
  const text = Buffer.from(sessionChallengeText(clientId, nonce))
  const isSigned =
    client !== undefined && verify(null, text, publicKeyFrom(client.publicKey), Buffer.from(signature, 'base64url'))
  if (isSigned) {
    checkStanding(client)
    return client
  }
  throw new FedsvdError('SIGNATURE_INVALID', {
    expected: `a signature by the key that client ${clientId} enrolled with`,
    got: client === undefined ? 'a client that is not enrolled here' : 'another signature',
    remedy:
      'Use the state folder that the client was enrolled from. If this coordinator was restored from a backup of before, start ' +
      'the client with a new enrolment token: it keeps its key and its ledger.',
  })
}

export async function requireGoodStanding(clients: ClientStore, clientId: string): Promise<void> {
  const client = await clients.find(clientId)
  if (client !== undefined) checkStanding(client)
}

export function nonceRefused(got: string): FedsvdError {
  return new FedsvdError('TOKEN_INVALID', {
    expected: 'a nonce of POST /v1/challenge for this client, used once and within a minute',
    got,
    remedy: 'Ask for a new challenge and sign that.',
  })
}

export function sessionRefused(token: string | undefined): FedsvdError {
  return new FedsvdError('TOKEN_INVALID', {
    expected: 'the session token of a live connection',
    got: token === undefined ? 'no token' : 'an unknown or ended token',
    remedy: 'Connect to the namespace /client and use the token of its "session" message.',
  })
}

function checkStanding({ id, revokedAt }: ClientRecord): void {
  if (revokedAt === undefined) return
  throw new FedsvdError('FORBIDDEN', {
    expected: `client ${id} to be in good standing`,
    got: 'a client that an admin has revoked',
    remedy: 'Ask who runs the coordinator; a new identity needs a new enrolment token.',
  })
}
