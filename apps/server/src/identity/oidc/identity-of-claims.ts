import { createHash } from 'node:crypto'
import { operatorNameSchema, type Role } from '@fedsvd/core/protocol'
import { type Claims, claimIn, type RoleRules, roleOfClaims } from './role-of-claims.ts'

/** A person as the provider knows them. Issuer and subject say who it is; the name is how others read it. */
export interface ProvidedIdentity {
  readonly issuer: string
  readonly subject: string
  readonly name: string
  /** Undefined where the claims give none. */
  readonly role: Role | undefined
}

const LONGEST_SUBJECT = 255

/** Undefined where the claims name nobody. */
export function identityOfClaims(
  claims: Claims,
  { issuer, nameClaim, rules }: { readonly issuer: string; readonly nameClaim: string; readonly rules: RoleRules },
): ProvidedIdentity | undefined {
  const { sub: subject } = claims
  if (typeof subject !== 'string' || subject === '' || subject.length > LONGEST_SUBJECT) return undefined
  const wanted = operatorNameSchema.safeParse(claimIn(claims, nameClaim))
  const name = wanted.success ? wanted.data : `sso-${fingerprintOf({ issuer, subject })}`
  return { issuer, subject, name, role: roleOfClaims(claims, rules) }
}

/** A name for somebody whose own is taken: the same each time, and nobody else's. */
export function otherNameOf(identity: ProvidedIdentity): string {
  return `${identity.name.slice(0, 50)}-${fingerprintOf(identity)}`
}

function fingerprintOf({ issuer, subject }: Pick<ProvidedIdentity, 'issuer' | 'subject'>): string {
  return createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('hex')
    .slice(0, 8)
}
