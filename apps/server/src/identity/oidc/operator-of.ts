import { randomUUID } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Role } from '@fedsvd/core/protocol'
import type { OperatorRecord, Store } from '../../storage/records/index.ts'
import { storeOperator } from '../operators.ts'
import { noteRefusal } from '../refused-sign-in.ts'
import { UNMATCHABLE_HASH } from '../secret-hash.ts'
import { otherNameOf, type ProvidedIdentity } from './identity-of-claims.ts'

export interface OperatorOfParts {
  readonly store: Pick<Store, 'operators' | 'audit'>
  readonly now: () => number
}

/**
 * The operator that a person of the provider is: made at the first sign-in, found by issuer and subject afterwards, and
 * never one that has the same name alone. The role follows the claims at each sign-in.
 *
 * @throws FedsvdError SIGN_IN_REFUSED for a person without a role, and for a disabled operator
 */
export async function operatorOf(identity: ProvidedIdentity, parts: OperatorOfParts): Promise<OperatorRecord> {
  const { operators } = parts.store
  const { role, issuer } = identity
  const known = await operators.findBySubject(identity)
  if (known?.disabledAt !== undefined) throw await refusal(parts, known, 'an operator who is disabled')
  if (role === undefined) throw await refusal(parts, known, 'claims that give no role')
  const operator = known ?? (await create(identity, role, parts))
  if (operator.role === role) return operator
  const object = `operator:${operator.id}`
  const detail = { from: operator.role, to: role, by: issuer }
  const audit = { at: parts.now(), actor: object, action: 'operator.role', object, detail }
  await operators.setRole(operator.id, role, audit)
  return { ...operator, role }
}

/** Notes it in the audit log, and gives the error to throw. */
async function refusal(
  { store, now }: OperatorOfParts,
  operator: OperatorRecord | undefined,
  got: string,
): Promise<FedsvdError> {
  await noteRefusal(store.audit, { operator, at: now(), detail: { reason: got } })
  return new FedsvdError('SIGN_IN_REFUSED', {
    expected: 'somebody to whom the OpenID provider gives a role here',
    got,
    remedy: 'Ask an admin.',
  })
}

async function create(identity: ProvidedIdentity, role: Role, parts: OperatorOfParts): Promise<OperatorRecord> {
  const { operators } = parts.store
  const { issuer, subject } = identity
  const created = { id: randomUUID(), role, issuer, subject, createdAt: parts.now() }
  for (const name of [identity.name, otherNameOf(identity)]) {
    // No secret opens it.
    const operator: OperatorRecord = { ...created, name, secretHash: UNMATCHABLE_HASH }
    const audit = { actor: `operator:${created.id}`, detail: { name, role, by: issuer } }
    if (await storeOperator(operators, operator, audit)) return operator
    // Somebody else has the name, or the same person has just signed in elsewhere.
    const known = await operators.findBySubject(identity)
    if (known !== undefined) return known
  }
  throw await refusal(parts, undefined, 'a name that others have')
}
