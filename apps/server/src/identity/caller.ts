import type { Role } from '@fedsvd/core/protocol'

/** Who sends a request: an operator in a session, or the holder of the coordinator's own token. */
export interface Caller {
  readonly role: Role
  readonly operator?: { readonly id: string; readonly name: string; readonly byProvider?: true }
  readonly session?: { readonly hash: string; readonly expiresAt: number; readonly csrfToken: string }
}

/** The holder of the token that the coordinator made at its first start: an admin without a name. */
export const TOKEN_HOLDER: Caller = { role: 'admin' }

/** The caller as the audit log names it. */
export function actorOf({ operator }: Caller): string {
  return operator === undefined ? 'operator-token' : `operator:${operator.id}`
}

/** Operators work with their own runs; admins and auditors see them all. */
export function ownsRun({ role, operator }: Caller, run: { readonly ownerId?: string | undefined }): boolean {
  return role !== 'operator' || (operator !== undefined && run.ownerId === operator.id)
}
