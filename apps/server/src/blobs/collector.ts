import type { Logger } from 'pino'
import type { Clock } from '../rounds/index.ts'
import type { Metrics } from '../telemetry/index.ts'
import { collectGarbage, type GarbageParts } from './collect-garbage.ts'

export interface CollectorOptions extends Omit<GarbageParts, 'now' | 'signal'> {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Pick<Metrics, 'blobsRemoved' | 'blobBytesRemoved' | 'blobs'>
  /** Time between the end of one collection and the beginning of the next; 0 for none at all. */
  readonly everyMs: number
}

/** Collects garbage on a schedule, beginning one interval from now. A collection that fails is tried again at its next time. */
export function startCollector(options: CollectorOptions): AsyncDisposable {
  const { clock, log, everyMs, metrics } = options
  const controller = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let cancel = (): void => {}

  const arm = (): void => {
    if (controller.signal.aborted || everyMs === 0) return
    cancel = clock.at(clock.now() + everyMs, () => {
      running = collect().then(arm)
    })
  }
  const collect = async (): Promise<void> => {
    try {
      const parts = { ...options, now: () => clock.now(), signal: controller.signal }
      const { removed, removedBytes, kept } = await collectGarbage(parts)
      metrics.blobsRemoved.inc(removed)
      metrics.blobBytesRemoved.inc(removedBytes)
      metrics.blobs.set(kept)
      if (removed > 0) log.info({ removed, removedBytes, kept }, 'unreferenced objects removed')
    } catch (error) {
      if (!controller.signal.aborted) log.warn({ err: error }, 'unreferenced objects were not all removed')
    }
  }
  arm()
  return {
    async [Symbol.asyncDispose]() {
      controller.abort()
      cancel()
      await running
    },
  }
}
