import { pipeline } from 'node:stream/promises'
import { parseMessage } from '@fedsvd/core/protocol'
import { Router } from 'express'
import { z } from 'zod'
import { bearerToken } from './bearer.ts'
import { limitPerClient, limitRefusals } from './limits.ts'
import { sha256Schema } from './path-params.ts'
import type { TensorRoutes } from './tensor-routes.ts'
import { uploadRoutes } from './uploads.ts'

const blobSchema = z.strictObject({ sha256: sha256Schema })

/** Tensors: published states go out, updates come in. */
export function tensorRoutes(parts: TensorRoutes): Router {
  const { blobs, sessions, intake, metrics } = parts
  const router = Router()
  const limit = limitRefusals(parts.refusalsPerMinute)
  const limitClient = limitPerClient(parts.transfersPerMinute, 'updates and states')

  router.get('/v1/blobs/:sha256', limit, async (request, response) => {
    const clientId = await sessions.clientOf(bearerToken(request))
    await limitClient(clientId)
    const { sha256 } = parseMessage(blobSchema, request.params, 'an address of an object')
    await intake.requireReadable(clientId, sha256)
    const { bytes, stream } = await blobs.open(sha256)
    response.set({ 'content-type': 'application/octet-stream', 'content-length': String(bytes), etag: `"${sha256}"` })
    await pipeline(stream, response)
    metrics.stateBytes.inc(bytes)
  })

  router.use(uploadRoutes(parts, { limit, limitClient }))
  return router
}
