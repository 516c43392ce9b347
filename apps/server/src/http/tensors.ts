import { pipeline } from 'node:stream/promises'
import { FedsvdError } from '@fedsvd/core/errors'
import { identifierSchema, parseMessage } from '@fedsvd/core/protocol'
import { type Request, type Response, Router } from 'express'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { BlobStore } from '../blobs/index.ts'
import type { Sessions, UploadTokens } from '../identity/index.ts'
import type { Conductor } from '../runs/index.ts'
import { type Metrics, type Tracer, toCatalogue } from '../telemetry/index.ts'
import { bearerToken } from './bearer.ts'
import { limitPerClient, limitRefusals } from './limits.ts'

export interface TensorRoutes {
  readonly blobs: BlobStore
  readonly sessions: Sessions
  /** True for a client that is connected here and certain to be in good standing. */
  readonly isHere: (clientId: string) => boolean
  readonly tokens: UploadTokens
  readonly conductor: Conductor
  readonly metrics: Metrics
  readonly log: Logger
  readonly tracer: Tracer
  readonly refusalsPerMinute: number
  readonly transfersPerMinute: number
}

const DISCARD_MS = 2000

const placeSchema = z.strictObject({ runId: identifierSchema, round: z.coerce.number().int().min(0).max(1_000_000) })

const blobSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in lower-case hex'),
})

/** Tensors: published states go out, updates come in. */
export function tensorRoutes(parts: TensorRoutes): Router {
  const { blobs, sessions, isHere, tokens, conductor, metrics, log, tracer } = parts
  const router = Router()
  const limit = limitRefusals(parts.refusalsPerMinute)
  const limitClient = limitPerClient(parts.transfersPerMinute, 'updates and states')

  router.get('/v1/blobs/:sha256', limit, async (request, response) => {
    const clientId = await sessions.clientOf(bearerToken(request))
    await limitClient(clientId)
    const { sha256 } = parseMessage(blobSchema, request.params, 'an address of an object')
    if (!(await conductor.mayRead(clientId, sha256))) throw notReadable(sha256)
    const { bytes, stream } = await blobs.open(sha256)
    response.set({ 'content-type': 'application/octet-stream', 'content-length': String(bytes), etag: `"${sha256}"` })
    await pipeline(stream, response)
    metrics.stateBytes.inc(bytes)
  })

  router.put('/v1/runs/:runId/rounds/:round/update', limit, async (request, response) => {
    try {
      const { runId, round } = parseMessage(placeSchema, request.params, 'an address of a round')
      const clientId = tokens.verify(bearerToken(request), { runId, round })
      await limitClient(clientId)
      if (!isHere(clientId)) await sessions.requireGoodStanding(clientId)
      const body = request.iterator({ destroyOnReturn: false }) // a refusal is still answered on this connection
      const place = { 'fedsvd.run': runId, 'fedsvd.round': round }
      const reply = await tracer.during('update', place, async (span) => {
        let bytes = 0
        const counted = counting(body, (length) => {
          bytes += length
          metrics.updateBytes.inc(length)
        })
        const { status, sha256 } = await conductor.receiveUpdate(runId, { round, clientId }, counted)
        span.set({ 'fedsvd.outcome': status, 'fedsvd.bytes': bytes })
        return { status, sha256 }
      })
      metrics.updates.inc({ outcome: reply.status })
      response.json(reply)
    } catch (error) {
      if (request.destroyed && !request.complete) return // the sender has gone; there is nobody to answer
      const refusal = toCatalogue(error, log)
      metrics.updates.inc({ outcome: refusal.code })
      discardRest(request, response)
      throw refusal
    }
  })
  return router
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

function notReadable(sha256: string): FedsvdError {
  return new FedsvdError('BLOB_NOT_FOUND', {
    expected: 'the SHA-256 of a published state of a run that this client takes part in',
    got: sha256.slice(0, 80),
    remedy: 'Ask for the object that the last invitation named.',
  })
}
