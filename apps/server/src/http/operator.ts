import { pipeline } from 'node:stream/promises'
import { FedsvdError } from '@fedsvd/core/errors'
import { parseMessage, runRequestSchema } from '@fedsvd/core/protocol'
import express, { Router } from 'express'
import { z } from 'zod'
import type { BlobStore } from '../blobs/index.ts'
import { createEnrolmentTokens, type OperatorGate } from '../identity/index.ts'
import type { Conductor } from '../runs/index.ts'
import type { Store } from '../store/index.ts'
import { bearerToken } from './bearer.ts'
import { limitRefusals } from './limits.ts'

export interface OperatorRoutes {
  readonly gate: OperatorGate
  readonly store: Store
  readonly blobs: BlobStore
  readonly conductor: Conductor
  readonly now: () => number
  readonly refusalsPerMinute: number
}

const DAY_SECONDS = 24 * 3600

const tokensRequestSchema = z.object({
  count: z.number().int().min(1).max(1000),
  expiresInSeconds: z
    .number()
    .int()
    .min(1)
    .max(90 * DAY_SECONDS),
})

/** What an operator may do. Every route is behind the operator token, whatever its path turns out to be. */
export function operatorRoutes({ gate, store, blobs, conductor, now, refusalsPerMinute }: OperatorRoutes): Router {
  const router = Router()
  router.use(['/v1/enrolment-tokens', '/v1/runs'], limitRefusals(refusalsPerMinute), (request, _response, next) => {
    gate.check(bearerToken(request))
    next()
  })
  router.use(express.json({ limit: '1mb' }))

  router.post('/v1/enrolment-tokens', async (request, response) => {
    const message = parseMessage(tokensRequestSchema, request.body, 'a request for enrolment tokens')
    response.status(201).json({ tokens: await createEnrolmentTokens(store.clients, message, now()) })
  })
  router.post('/v1/runs', async (request, response) => {
    response.status(201).json(await conductor.createRun(parseMessage(runRequestSchema, request.body, 'a run request')))
  })
  router.get('/v1/runs', async (_request, response) => {
    response.json({ runs: await conductor.snapshots() })
  })
  router.get('/v1/runs/:runId', async (request, response) => {
    response.json(await conductor.snapshot(runIdOf(request.params)))
  })
  router.post('/v1/runs/:runId/stop', async (request, response) => {
    response.json(await conductor.stopRun(runIdOf(request.params)))
  })
  router.get('/v1/runs/:runId/adapter', async (request, response) => {
    const runId = runIdOf(request.params)
    const adapter = await store.runs.newestAdapter(runId)
    if (adapter === undefined) throw runNotFound(runId)
    const { bytes, stream } = await blobs.open(adapter.sha256)
    response.set({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes),
      etag: `"${adapter.sha256}"`,
    })
    await pipeline(stream, response)
  })
  return router
}

function runIdOf(params: unknown): string {
  return parseMessage(z.object({ runId: z.uuid() }), params, 'an address of a run').runId
}

function runNotFound(runId: string): FedsvdError {
  return new FedsvdError('RUN_NOT_FOUND', {
    expected: 'the identifier of a run of this coordinator',
    got: runId,
    remedy: 'GET /v1/runs lists them.',
  })
}
