import { identifierSchema, modelNameSchema, parseMessage, registerModelRequestSchema } from '@fedsvd/core/protocol'
import express, { Router } from 'express'
import { z } from 'zod'
import { listModels, registerModel, removeModel } from '../runs/index.ts'
import type { Store } from '../storage/records/index.ts'
import { callerOf } from './guard.ts'
import { parseParams } from './path-params.ts'

export interface RegisteredModelRoutes {
  readonly store: Store
  readonly now: () => number
}

const runParams = z.strictObject({ runId: identifierSchema })
const modelParams = runParams.extend({ name: modelNameSchema, version: z.coerce.number().int().min(1).max(1_000_000) })

/** Models by name. The guard has checked that the run is the caller's. */
export function registeredModelRoutes({ store, now }: RegisteredModelRoutes): Router {
  const router = Router()
  router.get('/v1/registered-models', async (_request, response) => {
    response.json({ models: await listModels({ store, by: callerOf(response) }) })
  })
  router.post('/v1/runs/:runId/registered-models', express.json({ limit: '16kb' }), async (request, response) => {
    const { runId } = parseParams(runParams, request.params)
    const message = parseMessage(registerModelRequestSchema, request.body, 'a request to register a model')
    response.status(201).json(await registerModel(runId, message, { store, by: callerOf(response), now }))
  })
  router.delete('/v1/runs/:runId/registered-models/:name/:version', async (request, response) => {
    const which = parseParams(modelParams, request.params)
    response.json(await removeModel(which, { store, by: callerOf(response), now }))
  })
  return router
}
