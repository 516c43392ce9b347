import { untilReady } from './ready-time.ts'
import type { ReleaseClock } from './release-clock.ts'

interface Turn<T> {
  /** The time that the site has for its records: it stands still for what a coordinator asks for meanwhile. */
  readonly clock: ReleaseClock
  /** Aborted when the run is over. */
  readonly signal: AbortSignal
  /** Public work that comes first, and whose time does not count. */
  readonly first: () => Promise<unknown>
  /** Makes the records of a run ready, which takes as long as they are. */
  readonly make: () => Promise<T>
  /** Told when the records count as ready, by the clock, however late that was noticed. */
  readonly onReady?: (at: number) => void
}

/**
 * The records of the runs of a site are made ready one run after the other, and each run's time is counted from its own
 * beginning: when those before it count as ready, and what is public of it is done. So how long it took is told by its
 * order of magnitude (`ready-time.ts`), and a coordinator that opens several runs, at moments of its choice, does not
 * learn it against another moment.
 */
export class ReadyTurns {
  /** When the last turn ended: a public moment. */
  #last: Promise<number> = Promise.resolve(Number.NEGATIVE_INFINITY)

  /** Settles when the turns that were taken so far have ended. */
  async ended(): Promise<void> {
    await this.#last
  }

  /** @throws what `make` throws, at the moment at which the records would have counted as ready */
  async take<T>({ clock, signal, first, make, onReady }: Turn<T>): Promise<T> {
    const before = this.#last
    let end: (at: number) => void = () => {}
    this.#last = new Promise((resolve) => {
      end = resolve
    })
    let cutAt: number | undefined
    const cut = (): void => {
      cutAt ??= clock.now()
    }
    if (signal.aborted) cut()
    signal.addEventListener('abort', cut)
    const taken = clock.now()
    let begun = Math.max(taken, await before) // noticed later by a busy process
    const noticed = clock.now()
    try {
      await first()
      begun += clock.now() - noticed
      return await make()
    } finally {
      const readyAt = await untilReady(begun, clock, signal).catch(() => undefined) // cut off by the end of its run
      signal.removeEventListener('abort', cut)
      if (readyAt !== undefined) onReady?.(readyAt)
      end(Math.max(begun, cutAt ?? readyAt ?? clock.now()))
    }
  }
}
