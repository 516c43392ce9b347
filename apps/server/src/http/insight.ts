import { FedsvdError } from '@fedsvd/core/errors'
import type { ClientDetail } from '@fedsvd/core/protocol'
import { Router } from 'express'
import { z } from 'zod'
import { iso, participationsOf, runLedger, runRounds } from '../insight/index.ts'
import type { Store } from '../store/index.ts'
import { callerOf } from './guard.ts'
import { parseAddress } from './places.ts'

export interface InsightRoutes {
  readonly store: Store
  readonly isConnected: (clientId: string) => boolean
}

const MOST_ROUNDS = 1000

const runPlace = z.object({ runId: z.uuid() })
const clientPlace = z.object({ clientId: z.uuid() })
const pageSchema = z.object({
  since: z.coerce.number().int().min(0).max(1_000_000).default(0),
  limit: z.coerce.number().int().min(1).max(MOST_ROUNDS).default(MOST_ROUNDS),
})

/** The facts behind what the dashboard shows; read-only. */
export function insightRoutes({ store, isConnected }: InsightRoutes): Router {
  const router = Router()
  router.get('/v1/runs/:runId/rounds', async (request, response) => {
    const { runId } = parseAddress(runPlace, request.params)
    const page = parseAddress(pageSchema, request.query)
    response.json({ rounds: await runRounds(store, { runId, ...page }) })
  })
  router.get('/v1/runs/:runId/ledger', async (request, response) => {
    const { runId } = parseAddress(runPlace, request.params)
    response.json({ clients: await runLedger(store, runId) })
  })
  router.get('/v1/clients/:clientId', async (request, response) => {
    const { clientId } = parseAddress(clientPlace, request.params)
    const client = await store.clients.find(clientId)
    if (client === undefined) {
      throw new FedsvdError('CLIENT_NOT_FOUND', {
        expected: 'the identifier of a client of this coordinator',
        got: clientId,
        remedy: 'GET /v1/clients lists them.',
      })
    }
    const { name, publicKey, enrolledAt, revokedAt } = client
    const detail: ClientDetail = {
      clientId,
      name,
      publicKey,
      enrolledAt: iso(enrolledAt),
      ...(revokedAt !== undefined && { revokedAt: iso(revokedAt) }),
      connected: isConnected(clientId),
      runs: await participationsOf(store, clientId, callerOf(response)),
    }
    response.json(detail)
  })
  return router
}
