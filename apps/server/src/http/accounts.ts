import { type ClientView, identifierSchema, operatorRequestSchema, parseMessage } from '@fedsvd/core/protocol'
import express, { Router } from 'express'
import { z } from 'zod'
import {
  createOperator,
  disableOperator,
  linkFor,
  operatorView,
  revokeClient,
  type SignInLinks,
} from '../identity/index.ts'
import type { ClientRecord, Store } from '../storage/records/index.ts'
import { clientView } from '../views/index.ts'
import { callerOf } from './guard.ts'
import { parseParams } from './path-params.ts'
import { withoutBody } from './refuse-unread-input.ts'

export interface AccountRoutes {
  readonly store: Store
  readonly links: SignInLinks
  readonly now: () => number
  readonly isConnected: (clientId: string) => boolean
  /** Ends the live connections of an operator that is disabled, and of a client that is revoked. */
  readonly cutOperator: (operatorId: string) => void
  readonly cutClient: (clientId: string) => void
}

const operatorParams = z.strictObject({ operatorId: identifierSchema })
const clientParams = z.strictObject({ clientId: identifierSchema })

/** Who may come in: operators and clients. */
export function accountRoutes({ store, links, now, isConnected, cutOperator, cutClient }: AccountRoutes): Router {
  const router = Router()
  const view = (client: ClientRecord): ClientView => clientView(client, isConnected(client.id))

  router.post('/v1/operators', express.json({ limit: '16kb' }), async (request, response) => {
    const message = parseMessage(operatorRequestSchema, request.body, 'a request for an operator')
    response.status(201).json(await createOperator(store.operators, message, { by: callerOf(response), now: now() }))
  })
  router.get('/v1/operators', async (_request, response) => {
    response.json({ operators: (await store.operators.list()).map(operatorView) })
  })
  router.post('/v1/operators/:operatorId/disable', ...withoutBody, async (request, response) => {
    const { operatorId } = parseParams(operatorParams, request.params)
    const operator = await disableOperator(store.operators, operatorId, { by: callerOf(response), now: now() })
    cutOperator(operatorId)
    response.json(operator)
  })
  router.post('/v1/operators/:operatorId/sign-in-link', ...withoutBody, async (request, response) => {
    const { operatorId } = parseParams(operatorParams, request.params)
    const link = await linkFor(operatorId, { store, links, by: callerOf(response), now: now() })
    response.status(201).set('cache-control', 'no-store').json(link)
  })
  router.get('/v1/clients', async (_request, response) => {
    response.json({ clients: (await store.clients.list()).map(view) })
  })
  router.post('/v1/clients/:clientId/revoke', ...withoutBody, async (request, response) => {
    const { clientId } = parseParams(clientParams, request.params)
    const client = await revokeClient(store.clients, clientId, { by: callerOf(response), now: now() })
    cutClient(clientId)
    response.json(view(client))
  })
  return router
}
