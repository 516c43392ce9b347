import { FedsvdError } from '@fedsvd/core/errors'
import { Router } from 'express'
import type { Store } from '../store/index.ts'
import type { Metrics } from '../telemetry/index.ts'

export interface HealthRoutes {
  readonly store: Store
  readonly metrics: Metrics
  readonly isDraining: () => boolean
}

/** `/healthz`: the process answers. `/readyz`: it can do its work. `/metrics`: counts for Prometheus, without identities. */
export function healthRoutes({ store, metrics, isDraining }: HealthRoutes): Router {
  const router = Router()
  router.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' })
  })
  router.get('/readyz', async (_request, response) => {
    if (isDraining()) {
      throw new FedsvdError('COORDINATOR_UNREACHABLE', {
        expected: 'a coordinator that takes requests',
        got: 'one that shuts down',
        remedy: 'Try again when it has restarted.',
      })
    }
    await store.ping()
    response.json({ status: 'ready' })
  })
  router.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  return router
}
