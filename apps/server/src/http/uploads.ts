import { parseMessage, type UploadReply } from '@fedsvd/core/protocol'
import express, { type Request, type RequestHandler, type Response, Router } from 'express'
import { z } from 'zod'
import type { UploadRight } from '../identity/index.ts'
import { toFedsvdError } from '../telemetry/index.ts'
import { bearerToken } from './bearer.ts'
import { roundParams, sha256Schema } from './path-params.ts'
import type { TensorRoutes } from './tensor-routes.ts'
import { MOST_PARTS, UpdateParts } from './update-parts.ts'

const DISCARD_MS = 2000

const partParams = roundParams.extend({ sha256: sha256Schema })
const joinSchema = z.strictObject({ parts: z.array(sha256Schema).min(1).max(MOST_PARTS) })

export interface UploadLimits {
  readonly limit: RequestHandler
  readonly limitClient: (clientId: string) => Promise<void>
}

/** Updates come in: whole, or in parts that are then named in order. */
export function uploadRoutes(parts: TensorRoutes, { limit, limitClient }: UploadLimits): Router {
  const { blobs, sessions, isHere, tokens, intake, metrics, log, tracer } = parts
  const router = Router()
  const updateParts = new UpdateParts(blobs)
  const json = express.json({ limit: '512kb' }) // read when it is certain who sends it
  const at = '/v1/runs/:runId/rounds/:round/update'

  router.put(at, limit, async (request, response) => {
    await answering(request, response, async () => {
      const place = await admit(request, parseMessage(roundParams, request.params, 'an address of a round'))
      return await receive(place, bodyOf(request))
    })
  })
  router.put(`${at}/parts/:sha256`, limit, async (request, response) => {
    await answering(request, response, async () => {
      const { sha256, ...round } = parseMessage(partParams, request.params, 'an address of a part')
      const place = await admit(request, round)
      const due = await intake.due(place)
      await updateParts.take(place, { sha256, stream: bodyOf(request), ...due })
      return { sha256 }
    })
  })
  router.post(at, limit, async (request, response) => {
    await answering(request, response, async () => {
      const place = await admit(request, parseMessage(roundParams, request.params, 'an address of a round'))
      await new Promise<void>((resolve, reject) => {
        json(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error as Error)))
      })
      const { parts: named } = parseMessage(joinSchema, request.body, 'the parts of an update')
      return await receive(place, updateParts.join(named))
    })
  })
  return router

  /** A client that was invited to the round and is in good standing. */
  async function admit(request: Request, round: z.infer<typeof roundParams>): Promise<UploadRight> {
    const clientId = tokens.verify(bearerToken(request), round)
    await limitClient(clientId)
    if (!isHere(clientId)) await sessions.requireGoodStanding(clientId)
    return { ...round, clientId }
  }

  async function receive(
    { runId, round, clientId }: UploadRight,
    body: AsyncIterable<Uint8Array>,
  ): Promise<UploadReply> {
    const reply = await tracer.during('update', { 'fedsvd.run': runId, 'fedsvd.round': round }, async (span) => {
      let bytes = 0
      const counted = counting(body, (length) => {
        bytes += length
        metrics.updateBytes.inc(length)
      })
      const { status, sha256 } = await intake.receive(runId, { round, clientId }, counted)
      span.set({ 'fedsvd.outcome': status, 'fedsvd.bytes': bytes })
      return { status, sha256 }
    })
    metrics.updates.inc({ outcome: reply.status })
    return reply
  }

  async function answering(request: Request, response: Response, answer: () => Promise<object>): Promise<void> {
    try {
      response.json(await answer())
    } catch (error) {
      if (request.destroyed && !request.complete) return // the sender has closed the connection
      const refusal = toFedsvdError(error, log)
      metrics.updates.inc({ outcome: refusal.code })
      discardRest(request, response)
      throw refusal
    }
  }
}

/** A refusal is still answered on this connection. */
function bodyOf(request: Request): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false })
}

async function* counting(stream: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncIterable<Uint8Array> {
  for await (const chunk of stream) {
    count(chunk.length)
    yield chunk
  }
}

/** Lets a sender that is still sending read its refusal, but not send on for long. */
function discardRest(request: Request, response: Response): void {
  request.resume()
  response.once('finish', () => {
    if (!request.complete) setTimeout(() => request.destroy(), DISCARD_MS).unref()
  })
}
