import { FedsvdError } from '@fedsvd/core/errors'
import { budgetSchema, type ClientCap, identifierSchema, parseMessage } from '@fedsvd/core/protocol'
import express, { Router } from 'express'
import { z } from 'zod'
import { actorOf, type Caller } from '../identity/index.ts'
import type { BudgetCap, ClientStore } from '../storage/records/index.ts'
import { iso } from '../views/index.ts'
import { callerOf } from './guard.ts'
import { parseParams } from './path-params.ts'
import { withoutBody } from './refuse-unread-input.ts'

export interface BudgetRoutes {
  readonly clients: ClientStore
  readonly now: () => number
  /** Sets aside what only the client has stated about a run. */
  readonly quarantine: (runId: string, clientId: string, by: Caller) => Promise<{ readonly facts: number }>
  /** A cap has been set: selection sees it before the request is answered. */
  readonly onCap: () => Promise<void>
}

const clientParams = z.strictObject({ clientId: identifierSchema })
const participationParams = z.strictObject({ runId: identifierSchema, clientId: identifierSchema })

/**
 * What operators let a client spend at most. A cap only ever takes away: what the site allows, its own ledger decides.
 */
export function budgetRoutes({ clients, now, quarantine, onCap }: BudgetRoutes): Router {
  const router = Router()
  router.patch('/v1/clients/:clientId/budget', express.json({ limit: '16kb' }), async (request, response) => {
    const { clientId } = parseParams(clientParams, request.params)
    if ((await clients.find(clientId)) === undefined) throw clientNotFound(clientId)
    const { epsilon, delta } = parseMessage(budgetSchema, request.body, 'a budget')
    const cap: BudgetCap = { clientId, epsilon, delta, actor: actorOf(callerOf(response)), at: now() }
    const { actor, at } = cap
    const audit = { at, actor, action: 'client.budget', object: `client:${clientId}`, detail: { epsilon, delta } }
    if (!(await clients.setCap(cap, audit))) throw raised(cap, (await clients.capsOf(clientId)).at(-1))
    await onCap()
    response.json({ caps: (await clients.capsOf(clientId)).map(capView) })
  })
  router.post('/v1/runs/:runId/clients/:clientId/quarantine', ...withoutBody, async (request, response) => {
    const { runId, clientId } = parseParams(participationParams, request.params)
    response.json(await quarantine(runId, clientId, callerOf(response)))
  })
  return router
}

export function capView({ epsilon, delta, actor, at }: BudgetCap): ClientCap {
  return { epsilon, delta, actor, at: iso(at) }
}

export function clientNotFound(clientId: string): FedsvdError {
  return new FedsvdError('CLIENT_NOT_FOUND', {
    expected: 'the identifier of a client of this coordinator',
    got: clientId,
    remedy: 'GET /v1/clients lists them.',
  })
}

function raised({ epsilon, delta }: BudgetCap, before: BudgetCap | undefined): FedsvdError {
  return new FedsvdError('BUDGET_RAISED', {
    expected: `a budget of at most epsilon ${before?.epsilon} at delta ${before?.delta}, as data of the client have been used`,
    got: `epsilon ${epsilon}, delta ${delta}`,
    remedy: 'Once data have been used, a budget can only be lowered.',
  })
}
