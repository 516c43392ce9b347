import { PROTOCOL_HEADER, PROTOCOL_VERSION } from '@fedsvd/core/protocol'
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Router } from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'

import { type Metrics, toFedsvdError } from '../telemetry/index.ts'
import { checkRoutes, GUARDED, routeNotFound, servedRoutes } from './guard.ts'

export interface AppParts {
  /** Stands before every route under `/v1`. */
  readonly guard: readonly RequestHandler[]
  readonly routers: readonly Router[]
  /** The page for operators: what is not under `/v1` and is no other route. */
  readonly dashboard: RequestHandler
  readonly log: Logger
  readonly metrics: Metrics
  /** How many proxies in front of the coordinator are trusted to name the caller's address. */
  readonly trustedProxies: number
}

/** The HTTP side: every refusal is `{ "error": { code, expected, got, remedy } }` with the status of its code. */
export function createApp({ guard, routers, dashboard, log, metrics, trustedProxies }: AppParts): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('trust proxy', trustedProxies)
  // A coordinator is below a host name of others, and may not speak for the names below that.
  app.use(helmet({ strictTransportSecurity: { includeSubDomains: false } }))
  app.use((_request, response, next) => {
    response.set(PROTOCOL_HEADER, String(PROTOCOL_VERSION))
    next()
  })
  app.use((request, response, next) => {
    const startedAt = performance.now()
    response.on('finish', () => {
      const { method, path } = request
      const { statusCode: status } = response
      metrics.requests.inc({ method, status })
      log.debug({ method, path, status, ms: Math.round(performance.now() - startedAt) }, 'request')
    })
    next()
  })
  app.use(GUARDED, ...guard)
  for (const router of routers) app.use(router)
  checkRoutes(servedRoutes(app))
  app.use(dashboard)
  app.use((request, _response) => {
    throw routeNotFound(request.method, request.path)
  })
  app.use(errorHandler(log))
  return app
}

function errorHandler(log: Logger): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent || response.destroyed) return next(error)
    const refusal = toFedsvdError(error, log)
    if (refusal.code === 'RATE_LIMITED' && !response.hasHeader('retry-after')) response.set('retry-after', '60')
    response.status(refusal.httpStatus).json({ error: refusal.toJSON() })
  }
}
