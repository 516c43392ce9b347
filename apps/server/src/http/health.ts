import { FedsvdError } from '@fedsvd/core/errors'
import { Router } from 'express'
import type { BlobStore } from '../storage/objects/index.ts'
import type { Store } from '../storage/records/index.ts'
import type { Metrics } from '../telemetry/index.ts'

export interface HealthRoutes {
  readonly store: Store
  readonly blobs: BlobStore
  readonly metrics: Metrics
  readonly isDraining: () => boolean
}

/** A probe of the store writes: however many ask, it is done once in this time. */
const PROBE_MS = 2000

/**
 * `/healthz`: the process answers. `/readyz`: database (migrated at the start) and store of tensors take what it gives
 * them. `/metrics`: counts for Prometheus, without identities.
 */
export function healthRoutes({ store, blobs, metrics, isDraining }: HealthRoutes): Router {
  const router = Router()
  const writable = atMostEvery(PROBE_MS, () => blobs.check())
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
    await Promise.all([store.ping(), writable()])
    response.json({ status: 'ready' })
  })
  router.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  return router
}

/** Calls within `milliseconds` of each other share one outcome. */
function atMostEvery(milliseconds: number, action: () => Promise<void>): () => Promise<void> {
  let last: { readonly at: number; readonly outcome: Promise<void> } | undefined
  return () => {
    const at = performance.now()
    if (last === undefined || at - last.at > milliseconds) last = { at, outcome: action() }
    return last.outcome
  }
}
