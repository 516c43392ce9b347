import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Role } from '@fedsvd/core/protocol'
import type { AuditDraft, OperatorRecord, OperatorStore, Store } from '../storage/records/index.ts'
import { type Caller, TOKEN_HOLDER } from './caller.ts'
import type { ProvidedIdentity } from './oidc/identity-of-claims.ts'
import { operatorOf } from './oidc/operator-of.ts'
import { noteRefusal } from './refused-sign-in.ts'
import { UNMATCHABLE_HASH, verifySecret } from './secret-hash.ts'
import type { SignInLinks } from './sign-in-links.ts'

const MINUTE_MS = 60_000
/** A session ends when it is not used for so long, */
export const SESSION_IDLE_MS = 30 * MINUTE_MS
/** and in any case so long after it began. */
export const SESSION_LIFETIME_MS = 12 * 60 * MINUTE_MS
const MOST_SIGN_INS_AT_A_TIME = 3

/** What came with a request. A bearer token is looked at first, as no browser sends one by itself. */
export interface Credentials {
  readonly bearer?: string
  readonly cookie?: string
}

export interface SignedIn {
  /** 256 random bits, base64url; stored nowhere but at the operator's. */
  readonly sessionId: string
  readonly caller: Caller
}

/** Which live connections must end: those of one session, or those of an operator. */
export type RevokedSession = { readonly session: string } | { readonly operatorId: string }

export interface OperatorSessionsParts {
  readonly store: Pick<Store, 'operators' | 'audit'>
  readonly operatorToken: string
  readonly now: () => number
  readonly onEnd: (ended: RevokedSession) => void
  readonly links: Pick<SignInLinks, 'redeem'>
}

/** Who an operator is, from a secret once and from a session afterwards. */
export class OperatorSessions {
  readonly #operators: OperatorStore
  readonly #parts: OperatorSessionsParts
  readonly #expected: Buffer
  #signingIn = 0

  constructor(parts: OperatorSessionsParts) {
    this.#parts = parts
    this.#operators = parts.store.operators
    this.#expected = digest(parts.operatorToken)
  }

  /** `byCookie` asks for a CSRF token where something is to be changed. @throws FedsvdError TOKEN_INVALID */
  async identify({ bearer, cookie }: Credentials): Promise<{ readonly caller: Caller; readonly byCookie: boolean }> {
    if (bearer !== undefined) {
      if (timingSafeEqual(digest(bearer), this.#expected)) return { caller: TOKEN_HOLDER, byCookie: false }
      return { caller: await this.#callerOf(bearer), byCookie: false }
    }
    if (cookie !== undefined) return { caller: await this.#callerOf(cookie), byCookie: true }
    throw refused('none')
  }

  /**
   * Puts the end of a session off, as it is in use; one that was made by a clock that was ahead ends when it should.
   */
  async renew({ session }: Caller): Promise<void> {
    if (session === undefined) return
    const found = await this.#operators.session(session.hash, this.#parts.now())
    if (found === undefined) return
    const [{ createdAt, expiresAt }] = found
    const renewed = Math.min(this.#parts.now() + SESSION_IDLE_MS, createdAt + SESSION_LIFETIME_MS)
    if (Math.abs(renewed - expiresAt) >= MINUTE_MS) await this.#operators.renewSession(session.hash, renewed)
  }

  /** When a session ends as things stand, and what it may do by now; undefined when it has ended. */
  async standingOf(hash: string): Promise<{ readonly expiresAt: number; readonly role: Role } | undefined> {
    const found = await this.#operators.session(hash, this.#parts.now())
    return found && { expiresAt: found[0].expiresAt, role: found[1].role }
  }

  /**
   * Begins a session. An unknown name, a wrong secret and a disabled operator are refused in the same words, after the
   * same work.
   *
   * @throws FedsvdError SIGN_IN_REFUSED, or RATE_LIMITED while too many others sign in
   */
  async signIn(name: string, secret: string): Promise<SignedIn> {
    const operator = await this.#operators.findByName(name)
    const isRight = await this.#oneOfFew(() => verifySecret(secret, operator?.secretHash ?? UNMATCHABLE_HASH))
    const now = this.#parts.now()
    if (!isRight || operator === undefined || operator.disabledAt !== undefined) {
      await noteRefusal(this.#parts.store.audit, { operator, at: now, detail: {} })
      throw new FedsvdError('SIGN_IN_REFUSED', {
        expected: 'the name and the secret of an operator',
        got: 'a name and a secret that do not match',
        remedy: 'Check both, or ask an admin.',
      })
    }
    return await this.#begin(operator, {})
  }

  /**
   * Begins a session of a person whom the OpenID provider of the coordinator vouches for.
   *
   * @throws FedsvdError SIGN_IN_REFUSED as `operatorOf`
   */
  async signInAs(identity: ProvidedIdentity): Promise<SignedIn> {
    return await this.#begin(await operatorOf(identity, this.#parts), { by: identity.issuer })
  }

  /**
   * Begins a session by a link that an admin has made for the operator, and uses it up.
   *
   * @throws FedsvdError SIGN_IN_REFUSED
   */
  async signInByLink(token: string): Promise<SignedIn> {
    const operatorId = await this.#parts.links.redeem(token)
    const operator = operatorId === undefined ? undefined : await this.#operators.find(operatorId)
    if (operator === undefined || operator.disabledAt !== undefined) {
      await noteRefusal(this.#parts.store.audit, { operator, at: this.#parts.now(), detail: { by: 'link' } })
      throw new FedsvdError('SIGN_IN_REFUSED', {
        expected: 'a sign-in link that is new',
        got: 'one that was used, has expired, or was not made here',
        remedy: 'Sign in by name and secret, or ask for another link.',
      })
    }
    return await this.#begin(operator, { by: 'link' })
  }

  async #begin(operator: OperatorRecord, detail: AuditDraft['detail']): Promise<SignedIn> {
    const now = this.#parts.now()
    const sessionId = randomBytes(32).toString('base64url')
    const session = {
      hash: hashOf(sessionId),
      operatorId: operator.id,
      createdAt: now,
      expiresAt: now + SESSION_IDLE_MS,
    }
    const object = `operator:${operator.id}`
    await this.#operators.beginSession(session, { at: now, actor: object, action: 'session.begin', object, detail })
    return { sessionId, caller: callerIn(sessionId, session, operator) }
  }

  /** Ends the caller's session and its live connections. @throws FedsvdError TOKEN_INVALID when there is no session */
  async signOut({ session, operator }: Caller): Promise<void> {
    if (session === undefined || operator === undefined) throw refused('a token that belongs to no session')
    const actor = `operator:${operator.id}`
    const audit = { at: this.#parts.now(), actor, action: 'session.end', object: actor, detail: {} }
    await this.#operators.endSession(session.hash, audit)
    this.#parts.onEnd({ session: session.hash })
  }

  async #callerOf(sessionId: string): Promise<Caller> {
    const now = this.#parts.now()
    const found = await this.#operators.session(hashOf(sessionId), now)
    if (found === undefined) throw refused('another one, or one that has ended')
    if (found[0].expiresAt > now + SESSION_IDLE_MS + MINUTE_MS)
      throw refused('one that was begun by a clock that was ahead')
    return callerIn(sessionId, ...found)
  }

  /** Verifying is made to be slow; a crowd that signs in at once must not take all memory and time. */
  async #oneOfFew<T>(task: () => Promise<T>): Promise<T> {
    if (this.#signingIn >= MOST_SIGN_INS_AT_A_TIME) {
      throw new FedsvdError('RATE_LIMITED', {
        expected: `at most ${MOST_SIGN_INS_AT_A_TIME} operators who sign in at a time`,
        got: `${this.#signingIn + 1}`,
        remedy: 'Try again in a few seconds.',
      })
    }
    this.#signingIn += 1
    try {
      return await task()
    } finally {
      this.#signingIn -= 1
    }
  }
}

function callerIn(
  sessionId: string,
  { hash, expiresAt }: { hash: string; expiresAt: number },
  { id, name, role, issuer }: OperatorRecord,
): Caller {
  const operator = { id, name, ...(issuer !== undefined && { byProvider: true as const }) }
  return { role, operator, session: { hash, expiresAt, csrfToken: csrfTokenOf(sessionId) } }
}

/** A function of the session, which other sites cannot read: nothing has to be stored. */
function csrfTokenOf(sessionId: string): string {
  return createHmac('sha256', sessionId).update('fedsvd-csrf-v1').digest('base64url')
}

/** @throws FedsvdError CSRF_INVALID */
export function checkCsrfToken({ session }: Caller, given: unknown): void {
  if (session !== undefined && typeof given === 'string' && timingSafeEqual(digest(given), digest(session.csrfToken))) {
    return
  }
  throw new FedsvdError('CSRF_INVALID', {
    expected: 'the csrfToken of GET /v1/session, in the header X-CSRF-Token or in the handshake',
    got: typeof given === 'string' ? 'a token of another session' : 'no token',
    remedy: 'Read it again and send it along.',
  })
}

function refused(got: string): FedsvdError {
  return new FedsvdError('TOKEN_INVALID', {
    expected: 'the operator token of this coordinator, or a session of an operator',
    got,
    remedy:
      'Sign in by POST /v1/session, or send "Authorization: Bearer <token>"; the token is in operator.token in the state folder of the coordinator.',
  })
}

function hashOf(sessionId: string): string {
  return digest(sessionId).toString('hex')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
