import { pipeline } from 'node:stream/promises'
import {
  enrolmentTokenRequestSchema,
  identifierSchema,
  parseMessage,
  planChangeSchema,
  runRequestSchema,
  tokenIdSchema,
} from '@fedsvd/core/protocol'
import express, { type Request, type Response, Router } from 'express'
import { z } from 'zod'
import {
  type Caller,
  createEnrolmentTokens,
  listEnrolmentTokens,
  ownsRun,
  withdrawEnrolmentToken,
} from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { type RunCommands, runOptions, stateOfRun } from '../runs/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { Store } from '../storage/records/index.ts'
import type { RunViews } from '../views/index.ts'
import { callerOf } from './guard.ts'
import { parseParams } from './path-params.ts'
import { withoutBody } from './refuse-unread-input.ts'

const tokenParams = z.strictObject({ tokenId: tokenIdSchema })

export interface OperatorRoutes {
  readonly store: Store
  readonly models: ModelRegistry
  readonly blobs: BlobStore
  readonly commands: RunCommands
  readonly views: RunViews
  readonly now: () => number
}

/** Which state of a run: after a round, counted from 0, or the best on the hold-out; absent: the newest. */
const stateQuery = z.strictObject({
  round: z.union([z.literal(['best', 'newest']), z.coerce.number().int().min(0).max(1_000_000)]).default('newest'),
})

/** What operators do: enrol clients and run runs. The guard has checked who they are, and that the run is theirs. */
export function operatorRoutes({ store, models, blobs, commands, views, now }: OperatorRoutes): Router {
  const router = Router()
  const json = express.json({ limit: '1mb' })
  /** Answers with what has become of the run. */
  const withSnapshot =
    (command: (runId: string, by: Caller) => Promise<void>) =>
    async (request: Request, response: Response): Promise<void> => {
      const runId = runIdOf(request.params)
      await command(runId, callerOf(response))
      response.json(await views.snapshot(runId))
    }

  router.post('/v1/enrolment-tokens', json, async (request, response) => {
    const message = parseMessage(enrolmentTokenRequestSchema, request.body, 'a request for enrolment tokens')
    const tokens = await createEnrolmentTokens(store.clients, message, { by: callerOf(response), now: now() })
    response.status(201).json({ tokens })
  })
  router.get('/v1/enrolment-tokens', async (_request, response) => {
    response.json({ tokens: await listEnrolmentTokens(store.clients, now()) })
  })
  router.post('/v1/enrolment-tokens/:tokenId/withdraw', ...withoutBody, async (request, response) => {
    const { tokenId } = parseParams(tokenParams, request.params)
    await withdrawEnrolmentToken(store.clients, tokenId, { by: callerOf(response), now: now() })
    response.json({ tokens: await listEnrolmentTokens(store.clients, now()) })
  })
  router.get('/v1/models', async (_request, response) => {
    response.json(await models.list())
  })
  router.get('/v1/run-options', (_request, response) => {
    response.json(runOptions())
  })
  router.post('/v1/runs', json, async (request, response) => {
    const message = parseMessage(runRequestSchema, request.body, 'a run request')
    response.status(201).json(await commands.create(message, callerOf(response)))
  })
  router.post('/v1/runs/price', json, async (request, response) => {
    const message = parseMessage(runRequestSchema, request.body, 'a run request')
    response.json(await views.price(await commands.plan(message, callerOf(response))))
  })
  router.get('/v1/runs', async (_request, response) => {
    const caller = callerOf(response)
    response.json({ runs: await views.snapshots((run) => ownsRun(caller, run)) })
  })
  router.get('/v1/runs/:runId', async (request, response) => {
    response.json(await views.snapshot(runIdOf(request.params)))
  })
  router.post(
    '/v1/runs/:runId/stop',
    ...withoutBody,
    withSnapshot((runId, by) => commands.stop(runId, by)),
  )
  router.post(
    '/v1/runs/:runId/pause',
    ...withoutBody,
    withSnapshot((runId, by) => commands.pause(runId, by)),
  )
  router.post(
    '/v1/runs/:runId/resume',
    ...withoutBody,
    withSnapshot((runId, by) => commands.resume(runId, by)),
  )
  router.patch('/v1/runs/:runId/plan', json, async (request, response) => {
    const change = parseMessage(planChangeSchema, request.body, 'a change of a plan')
    await withSnapshot((runId, by) => commands.changePlan(runId, change, by))(request, response)
  })
  router.get('/v1/runs/:runId/adapter', async (request, response) => {
    const { round } = parseParams(stateQuery, request.query)
    const adapter = await stateOfRun(store, runIdOf(request.params), round)
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
  return parseParams(z.strictObject({ runId: identifierSchema }), params).runId
}
