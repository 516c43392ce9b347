import type { Role } from '@fedsvd/core/protocol'

/** How much a role may do: the first of them least. */
const POWER: Readonly<Record<Role, number>> = { auditor: 1, operator: 2, admin: 3 }

export interface RoleRules {
  /** Name of the claim, or the path to it with dots between, such as `realm_access.roles`. */
  readonly claim: string
  /** The role that each value of the claim gives. */
  readonly roles: Readonly<Record<string, Role>>
  /** Of somebody whose values give several: the one that may do least, or most. */
  readonly ofSeveral: 'least' | 'most'
}

export type Claims = Readonly<Record<string, unknown>>

/**
 * The role that the claims of a person give; undefined for none. A value that no rule names gives nothing, and so does
 * a claim that is neither a text nor a list of texts.
 */
export function roleOfClaims(claims: Claims, { claim, roles, ofSeveral }: RoleRules): Role | undefined {
  const value = claimIn(claims, claim)
  const values = (Array.isArray(value) ? value : [value]) as readonly unknown[]
  const given = values.flatMap((one) => (typeof one === 'string' && Object.hasOwn(roles, one) ? [roles[one]!] : []))
  const sorted = given.toSorted((left, right) => POWER[left] - POWER[right])
  return ofSeveral === 'least' ? sorted[0] : sorted.at(-1)
}

/** The claim of this very name, which may have dots and slashes, or else that at the end of the path. */
export function claimIn(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Claims)[name]
  }
  return value
}
