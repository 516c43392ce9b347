import { FedsvdError } from '@fedsvd/core/errors'
import { identifierSchema } from '@fedsvd/core/protocol'
import { Router } from 'express'
import { z } from 'zod'
import type { StatementKey } from '../identity/index.ts'
import type { EpsilonBounds } from '../privacy/index.ts'
import type { Store } from '../storage/records/index.ts'
import { VERSION } from '../version.ts'
import { privacyStatement, type RunViews, runLedger } from '../views/index.ts'
import { clientNotFound } from './budgets.ts'
import { parseParams } from './path-params.ts'

export interface StatementRoutes {
  readonly store: Store
  readonly views: RunViews
  readonly bounds: EpsilonBounds
  readonly key: StatementKey
  readonly now: () => number
}

const place = z.strictObject({ runId: identifierSchema, clientId: identifierSchema })

/** Signed statements of what a client has spent, and the key to verify them with. */
export function statementRoutes({ store, views, bounds, key, now }: StatementRoutes): Router {
  const router = Router()
  router.get('/v1/statement-key', (_request, response) => {
    response.json({ publicKey: key.publicKey })
  })
  router.get('/v1/runs/:runId/statements/:clientId', async (request, response) => {
    const { runId, clientId } = parseParams(place, request.params)
    const run = await views.snapshot(runId)
    const client = (await runLedger(store, runId)).find((candidate) => candidate.clientId === clientId)
    const identity = client && (await store.clients.find(clientId))
    if (client === undefined || identity === undefined) throw tookNoPart(clientId)
    const { publicKey } = identity
    const facts = { run, client, publicKey, bounds, version: VERSION, now: now() }
    response.json(key.sign(await privacyStatement(facts)))
  })
  return router
}

function tookNoPart(clientId: string): FedsvdError {
  const { detail } = clientNotFound(clientId)
  return new FedsvdError('CLIENT_NOT_FOUND', { ...detail, expected: 'a client that takes part in the run' })
}
