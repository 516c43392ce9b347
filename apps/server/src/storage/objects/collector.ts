import type { Logger } from 'pino'
import type { Clock } from '../../platform/index.ts'
import type { Metrics } from '../../telemetry/index.ts'
import { collectGarbage, type GarbageParts } from './collect-garbage.ts'

export interface CollectorOptions extends Omit<GarbageParts, 'now' | 'signal'> {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Pick<Metrics, 'blobsRemoved' | 'blobBytesRemoved' | 'blobs'>
  /** Done before each collection: what nothing is to refer to any more is let go of. */
  readonly before?: () => Promise<void>
  /** Time between the end of one collection and the beginning of the next; 0 for none at all. */
  readonly everyMs: number
}

export interface Collector extends AsyncDisposable {
  /** Ends a collection that goes on, and begins none until what it resolves to is disposed. */
  hold(): Promise<Disposable>
}

/**
 * Collects garbage on a schedule, beginning one interval from now. A collection that fails is tried again at its next
 * time.
 */
export function startCollector(options: CollectorOptions): Collector {
  const { clock, log, everyMs, metrics } = options
  const controller = new AbortController()
  /** Of the collection that goes on. */
  let current = new AbortController()
  let holds = 0
  let running: Promise<void> = Promise.resolve()
  let cancel = (): void => {}

  const arm = (): void => {
    if (controller.signal.aborted || everyMs === 0) return
    cancel = clock.at(clock.now() + everyMs, () => {
      running = collect().then(arm)
    })
  }
  const collect = async (): Promise<void> => {
    if (holds > 0) return
    current = new AbortController()
    try {
      await options.before?.()
      const signal = AbortSignal.any([controller.signal, current.signal])
      const parts = { ...options, now: () => clock.now(), signal }
      const { removed, removedBytes, kept } = await collectGarbage(parts)
      metrics.blobsRemoved.inc(removed)
      metrics.blobBytesRemoved.inc(removedBytes)
      metrics.blobs.set(kept)
      if (removed > 0) log.info({ removed, removedBytes, kept }, 'unreferenced objects removed')
    } catch (error) {
      if (!controller.signal.aborted && !current.signal.aborted)
        log.warn({ err: error }, 'removing unreferenced objects failed')
    }
  }
  arm()
  return {
    async hold() {
      holds += 1
      current.abort()
      await running
      let isHeld = true
      return {
        [Symbol.dispose]() {
          if (isHeld) holds -= 1
          isHeld = false
        },
      }
    },
    async [Symbol.asyncDispose]() {
      controller.abort()
      cancel()
      await running
    },
  }
}
