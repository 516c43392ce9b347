import { mergeEvents } from '@fedsvd/core/accounting'
import { type ClientDetail, type ClientSpending, identifierSchema, type PrivacyTerms } from '@fedsvd/core/protocol'
import { Router } from 'express'
import { z } from 'zod'
import type { Store } from '../storage/records/index.ts'
import { clientView, participationsOf, runLedger, runRounds } from '../views/index.ts'
import { capView, clientNotFound } from './budgets.ts'
import { callerOf } from './guard.ts'
import { parseParams } from './path-params.ts'

export interface FactRoutes {
  readonly store: Store
  readonly isConnected: (clientId: string) => boolean
  /** The cap of a client in a run, what other runs have spent of it, and by which rule it is held. */
  readonly capIn: (runId: string, clientId: string, terms: PrivacyTerms) => Promise<ClientSpending['cap']>
}

const MOST_ROUNDS = 1000

const runParams = z.strictObject({ runId: identifierSchema })
const clientParams = z.strictObject({ clientId: identifierSchema })
const pageSchema = z.strictObject({
  since: z.coerce.number().int().min(0).max(1_000_000).default(0),
  limit: z.coerce.number().int().min(1).max(MOST_ROUNDS).default(MOST_ROUNDS),
})

/** The facts behind what the dashboard shows; read-only. */
export function factRoutes({ store, isConnected, capIn }: FactRoutes): Router {
  const router = Router()
  router.get('/v1/runs/:runId/rounds', async (request, response) => {
    const { runId } = parseParams(runParams, request.params)
    const page = parseParams(pageSchema, request.query)
    response.json({ rounds: await runRounds(store, { runId, ...page }) })
  })
  router.get('/v1/runs/:runId/ledger', async (request, response) => {
    const { runId } = parseParams(runParams, request.params)
    response.json({ clients: await runLedger(store, runId, (...client) => capIn(runId, ...client)) })
  })
  router.get('/v1/clients/:clientId', async (request, response) => {
    const { clientId } = parseParams(clientParams, request.params)
    const client = await store.clients.find(clientId)
    if (client === undefined) throw clientNotFound(clientId)
    const detail: ClientDetail = {
      ...clientView(client, isConnected(clientId)),
      publicKey: client.publicKey,
      caps: (await store.clients.capsOf(clientId)).map(capView),
      spent: mergeEvents(await store.ledger.spendingOf([clientId])),
      runs: await participationsOf(store, clientId, callerOf(response)),
    }
    response.json(detail)
  })
  return router
}
