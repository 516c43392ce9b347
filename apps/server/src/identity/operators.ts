import { randomUUID } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { nameKey, type OperatorRequest, type OperatorView } from '@fedsvd/core/protocol'
import type { AuditDraft, OperatorRecord, OperatorStore, Store } from '../storage/records/index.ts'
import { actorOf, type Caller } from './caller.ts'
import { hashSecret } from './secret-hash.ts'
import type { SignInLinks } from './sign-in-links.ts'

/** @throws FedsvdError OPERATOR_EXISTS */
export async function createOperator(
  operators: OperatorStore,
  { name, role, secret }: OperatorRequest,
  { by, now }: { readonly by: Caller; readonly now: number },
): Promise<OperatorView> {
  const operator: OperatorRecord = {
    id: randomUUID(),
    name,
    role,
    secretHash: await hashSecret(secret),
    createdAt: now,
  }
  if (await storeOperator(operators, operator, { actor: actorOf(by), detail: { name, role } }))
    return operatorView(operator)
  throw new FedsvdError('OPERATOR_EXISTS', {
    expected: 'a name that no other operator has or resembles, disabled ones included',
    got: name,
    remedy: 'Choose another name.',
  })
}

/** False, and nothing stored, where another operator has the name, or one that is read as the same. */
export async function storeOperator(
  operators: OperatorStore,
  operator: OperatorRecord,
  { actor, detail }: Pick<AuditDraft, 'actor' | 'detail'>,
): Promise<boolean> {
  const { id, name, createdAt } = operator
  const isTaken = (await operators.list()).some((other) => nameKey(other.name) === nameKey(name))
  const audit = { at: createdAt, actor, action: 'operator.create', object: `operator:${id}`, detail }
  return !isTaken && (await operators.create(operator, audit))
}

/**
 * Disables an operator and ends its sessions; doing it again changes nothing. @throws FedsvdError OPERATOR_NOT_FOUND
 */
export async function disableOperator(
  operators: OperatorStore,
  operatorId: string,
  { by, now }: { readonly by: Caller; readonly now: number },
): Promise<OperatorView> {
  const audit = {
    at: now,
    actor: actorOf(by),
    action: 'operator.disable',
    object: `operator:${operatorId}`,
    detail: {},
  }
  await operators.disable(operatorId, now, audit)
  const operator = await operators.find(operatorId)
  if (operator !== undefined) return operatorView(operator)
  throw operatorNotFound(operatorId)
}

/**
 * A link with which an operator signs in once. Not for one of an OpenID provider, whose rules it would go around.
 *
 * @throws FedsvdError OPERATOR_NOT_FOUND, or FORBIDDEN for an operator who signs in by a provider
 */
export async function linkFor(
  operatorId: string,
  { store, links, by, now }: LinkParts,
): Promise<{ readonly token: string; readonly expiresAt: string }> {
  const operator = await store.operators.find(operatorId)
  if (operator === undefined || operator.disabledAt !== undefined) throw operatorNotFound(operatorId)
  if (operator.issuer !== undefined) {
    throw new FedsvdError('FORBIDDEN', {
      expected: 'an operator who signs in by a name and a secret',
      got: `${operator.name}, who signs in by the OpenID provider`,
      remedy: 'Let them sign in there.',
    })
  }
  const { token, expiresAt } = links.issue(operatorId)
  const object = `operator:${operatorId}`
  await store.audit.append({ at: now, actor: actorOf(by), action: 'operator.link', object, detail: {} })
  return { token, expiresAt: new Date(expiresAt).toISOString() }
}

export interface LinkParts {
  readonly store: Pick<Store, 'operators' | 'audit'>
  readonly links: SignInLinks
  readonly by: Caller
  readonly now: number
}

function operatorNotFound(operatorId: string): FedsvdError {
  return new FedsvdError('OPERATOR_NOT_FOUND', {
    expected: 'the identifier of an operator of this coordinator',
    got: operatorId,
    remedy: 'GET /v1/operators lists them.',
  })
}

export function operatorView({ id, name, role, issuer, createdAt, disabledAt }: OperatorRecord): OperatorView {
  return {
    id,
    name,
    role,
    ...(issuer !== undefined && { byProvider: true as const }),
    createdAt: new Date(createdAt).toISOString(),
    ...(disabledAt !== undefined && { disabledAt: new Date(disabledAt).toISOString() }),
  }
}
