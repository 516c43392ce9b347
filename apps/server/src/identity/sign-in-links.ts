import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { NonceStore } from '../storage/records/index.ts'
import { uuidBytes, uuidText } from './uuid-bytes.ts'

/** A link is for somebody who sits before the terminal that prints it. */
export const LINK_LIFETIME_MS = 15 * 60_000

export interface SignInLink {
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** Tokens with which one operator signs in once, without a secret. */
export interface SignInLinks {
  issue(operatorId: string): SignInLink
  /** Whose it is, the first time; undefined for one that was used, has expired, or was not issued here. */
  redeem(token: string): Promise<string | undefined>
}

const [ID, TIME, NONCE, MAC] = [16, 8, 16, 32]

/**
 * Tokens that need no storage until they are used: operator, end, a nonce, and an HMAC-SHA256 over these, so that every
 * coordinator that shares the secret takes them; the nonce is spent for all of them together.
 */
export function signInLinks(secret: Uint8Array, nonces: NonceStore, now: () => number): SignInLinks {
  const macOf = (content: Uint8Array): Buffer =>
    createHmac('sha256', secret).update('fedsvd-sign-in-link-v1:').update(content).digest()
  return {
    issue(operatorId) {
      const expiresAt = now() + LINK_LIFETIME_MS
      const time = Buffer.alloc(TIME)
      time.writeBigUInt64BE(BigInt(Math.floor(expiresAt)))
      const content = Buffer.concat([uuidBytes(operatorId), time, randomBytes(NONCE)])
      return { token: Buffer.concat([content, macOf(content)]).toString('base64url'), expiresAt }
    },
    async redeem(token) {
      const bytes = Buffer.from(token, 'base64url')
      if (bytes.length !== ID + TIME + NONCE + MAC) return undefined
      const content = bytes.subarray(0, -MAC)
      if (!timingSafeEqual(bytes.subarray(-MAC), macOf(content))) return undefined
      const left = Number(content.readBigUInt64BE(ID)) - now()
      if (left <= 0) return undefined
      const nonce = `sign-in-link:${content.subarray(ID + TIME).toString('base64url')}`
      return (await nonces.spend(nonce, left)) ? uuidText(content.subarray(0, ID)) : undefined
    },
  }
}
