import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ClientStore, ConnectionStore, NonceStore } from '../storage/records/index.ts'
import {
  authenticate,
  NONCE_LIFETIME_MS,
  nonceRefused,
  requireGoodStanding,
  type Sessions,
  sessionRefused,
} from './sessions.ts'
import { uuidBytes, uuidText } from './uuid-bytes.ts'

export interface SharedSessionsParts {
  readonly clients: ClientStore
  readonly nonces: NonceStore
  readonly connections: Pick<ConnectionStore, 'isConnected'>
  /** True for a connection of this coordinator that is certain to be of a client in good standing. */
  readonly isHere?: (clientId: string, connectionId: string) => boolean
  /** A secret that the coordinators share. */
  readonly secret: string
  readonly now: () => number
}

const UUID_BYTES = 16
const RANDOM_BYTES = 16
const TIME_BYTES = 6
const MAC_BYTES = 32

/**
 * Sessions that any of several coordinators can begin and check. A nonce carries its own proof that it was issued, to
 * whom and when, and is entered in the database when it is used; a session token carries its connection, which the
 * database lists until it ends.
 */
export function sharedSessions({ clients, nonces, connections, isHere, secret, now }: SharedSessionsParts): Sessions {
  const mac = (what: string, ...parts: readonly Uint8Array[]): Buffer => {
    const hmac = createHmac('sha256', secret).update(`fedsvd-${what}-v1:`)
    for (const part of parts) hmac.update(part)
    return hmac.digest()
  }

  async function takeNonce(nonce: string, clientId: string): Promise<void> {
    const bytes = Buffer.from(nonce, 'base64url')
    const issued = bytes.subarray(0, RANDOM_BYTES + TIME_BYTES)
    const isOurs =
      bytes.length === RANDOM_BYTES + TIME_BYTES + MAC_BYTES &&
      timingSafeEqual(bytes.subarray(-MAC_BYTES), mac('nonce', issued, uuidBytes(clientId)))
    if (!isOurs) throw nonceRefused('one that was not issued, or is foreign')
    const issuedAt = issued.readUIntBE(RANDOM_BYTES, TIME_BYTES)
    if (Math.abs(now() - issuedAt) >= NONCE_LIFETIME_MS) throw nonceRefused('one that has expired')
    // The clocks of coordinators may differ by as much as the lifetime of a nonce: it is kept long enough for both.
    const isFirst = await nonces.spend(nonce, 3 * NONCE_LIFETIME_MS)
    if (!isFirst) throw nonceRefused('one that was used before')
  }

  return {
    challenge(clientId) {
      const issued = Buffer.alloc(RANDOM_BYTES + TIME_BYTES)
      randomBytes(RANDOM_BYTES).copy(issued)
      issued.writeUIntBE(now(), RANDOM_BYTES, TIME_BYTES)
      return Buffer.concat([issued, mac('nonce', issued, uuidBytes(clientId))]).toString('base64url')
    },
    authenticate: (handshake) => authenticate(clients, handshake, takeNonce),
    requireGoodStanding: (clientId) => requireGoodStanding(clients, clientId),
    begin(clientId, connectionId) {
      const who = Buffer.concat([uuidBytes(clientId), uuidBytes(connectionId)])
      return Buffer.concat([who, mac('session', who)]).toString('base64url')
    },
    end: () => {}, // it ends with its connection
    async clientOf(token) {
      const bytes = Buffer.from(token ?? '', 'base64url')
      const who = bytes.subarray(0, 2 * UUID_BYTES)
      const isOurs =
        bytes.length === 2 * UUID_BYTES + MAC_BYTES && timingSafeEqual(bytes.subarray(-MAC_BYTES), mac('session', who))
      if (!isOurs) throw sessionRefused(token)
      const [clientId, connectionId] = [uuidText(who.subarray(0, UUID_BYTES)), uuidText(who.subarray(UUID_BYTES))]
      if (isHere?.(clientId, connectionId) || (await connections.isConnected(clientId, connectionId))) return clientId
      throw sessionRefused(token)
    },
  }
}
