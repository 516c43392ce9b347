import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** What a browser brings back with the answer of its provider; nobody else can read or make one. */
export interface SignInAttempt {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly expiresAt: number
}

/** As long as somebody may take to sign in at the provider. */
export const ATTEMPT_LIFETIME_MS = 600_000

const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16
/** Longer than any that is made here. */
const LONGEST = 2000

/** Keeps attempts at the browsers that make them, so that any coordinator that shares the secret can finish them. */
export class AttemptSeal {
  readonly #key: Buffer

  constructor(secret: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'fedsvd sign-in attempt, v1', 32))
  }

  seal(attempt: SignInAttempt): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, iv)
    const text = Buffer.concat([cipher.update(JSON.stringify(attempt)), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')
  }

  /** Undefined for one that was not sealed here, was changed, or is too old. */
  open(sealed: string, now: number): SignInAttempt | undefined {
    const bytes = Buffer.from(sealed.slice(0, LONGEST), 'base64url')
    if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, IV_BYTES))
      decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
      const attempt = JSON.parse(text.toString()) as SignInAttempt
      return attempt.expiresAt > now ? attempt : undefined
    } catch {
      return undefined
    }
  }
}
