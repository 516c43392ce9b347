import { FedsvdError } from '@fedsvd/core/errors'
import express, { type ErrorRequestHandler, type Express, type Router } from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'

import { type Metrics, toCatalogue } from '../telemetry/index.ts'

export interface AppParts {
  readonly routers: readonly Router[]
  readonly log: Logger
  readonly metrics: Metrics
  /** How many proxies in front of the coordinator are trusted to name the caller's address. */
  readonly trustedProxies: number
}

/** The HTTP side: every refusal is `{ "error": { code, expected, got, remedy } }` with the status of its code. */
export function createApp({ routers, log, metrics, trustedProxies }: AppParts): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('trust proxy', trustedProxies)
  app.use(helmet())
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
  for (const router of routers) app.use(router)
  app.use((request, _response) => {
    throw new FedsvdError('ROUTE_NOT_FOUND', {
      expected: 'a route of the protocol reference',
      got: `${request.method} ${request.path.slice(0, 200)}`,
      remedy: 'Check the address and the method.',
    })
  })
  app.use(errorHandler(log))
  return app
}

function errorHandler(log: Logger): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent || response.destroyed) return next(error)
    const refusal = toCatalogue(error, log)
    response.status(refusal.httpStatus).json({ error: refusal.toJSON() })
  }
}
