import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { firstIssueInWords } from '@fedsvd/core/protocol'
import { publicKeyFrom } from '@fedsvd/engine/crypto'
import canonicalize from 'canonicalize'
import { z } from 'zod'

/*
 * What the owner of a site's data signs, with a key that the site's client does not hold. The form is the same for
 * every kind, so that more can follow: canonical JSON (RFC 8785) of everything but the signature, behind a text that no
 * other signature of fedsvd begins with.
 */

const DOMAIN = 'fedsvd-owner-statement-v1:'

/** Raw 32-byte Ed25519 public key, base64url. */
export const publicKeySchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

const signed = {
  at: z.iso.datetime(),
  publicKey: publicKeySchema,
  /** Ed25519, base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
}

/** The people in a data set are in no other data set that this site trains on, so it may have a budget of its own. */
const disjoint = z.strictObject({
  kind: z.literal('disjoint'),
  /** Name of the budget. */
  budget: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  /** Fingerprint of the data set. */
  dataset: z.string().regex(/^[0-9a-f]{64}$/),
  ...signed,
})

/**
 * From a day on the budget begins anew: what was released before counts for its own period. The guarantee then is one
 * of each period, and over all periods their sum.
 */
const renewal = z.strictObject({
  kind: z.literal('renewal'),
  /** Name of the budget. */
  budget: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  /** The day, in UTC. */
  from: z.iso.date(),
  /** The budget of the period that begins then. */
  epsilon: z.number().positive(),
  delta: z.number().positive().max(0.5),
  ...signed,
})

export const ownerStatementSchema = z.discriminatedUnion('kind', [disjoint, renewal])
/** A statement by which a budget begins anew. */
export type Renewal = z.infer<typeof renewal>
export type OwnerStatement = z.infer<typeof ownerStatementSchema>
type WithoutSignature<T> = T extends OwnerStatement ? Omit<T, 'publicKey' | 'signature'> : never
/** A statement before it is signed. */
export type StatementDraft = WithoutSignature<OwnerStatement>

/** The bytes that are signed. */
function signedBytes(statement: Partial<OwnerStatement>): Buffer {
  return Buffer.from(`${DOMAIN}${canonicalize({ ...statement, signature: undefined })}`)
}

/** Raw 32-byte public key of a private key, base64url. */
export function publicKeyOf(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return x!
}

/** Signs a statement with the data owner's private Ed25519 key. */
export function signStatement<Draft extends StatementDraft>(
  draft: Draft,
  key: KeyObject,
): Draft & Pick<OwnerStatement, 'publicKey' | 'signature'> {
  const unsigned = { ...draft, publicKey: publicKeyOf(key) }
  return { ...unsigned, signature: sign(null, signedBytes(unsigned), key).toString('base64url') }
}

/** True when the statement is signed by the key that it names, which is not one under which anything is signed. */
export function isSigned(statement: OwnerStatement): boolean {
  try {
    const key = publicKeyFrom(statement.publicKey)
    return verify(null, signedBytes(statement), key, Buffer.from(statement.signature, 'base64url'))
  } catch (error) {
    if (isFedsvdError(error, 'SIGNATURE_INVALID')) return false
    throw error
  }
}

/**
 * Reads a statement from outside.
 *
 * @throws FedsvdError STATEMENT_INVALID for another form, or a signature that is not by the key that it names
 */
export function parseStatement(value: unknown): OwnerStatement {
  const result = ownerStatementSchema.safeParse(value)
  if (!result.success) {
    const { expected, got } = firstIssueInWords(result.error, value, 'statement')
    throw statementInvalid(expected, got)
  }
  if (isSigned(result.data)) return result.data
  throw statementInvalid('a signature by the key that the statement names', 'another signature')
}

export function statementInvalid(expected: string, got: string): FedsvdError {
  return new FedsvdError('STATEMENT_INVALID', {
    expected,
    got,
    remedy:
      'Have the data owner sign it with fedsvd owner sign-disjoint (--disjoint-statement) or fedsvd owner renew (--renewal); nothing is trained by it until then.',
  })
}
