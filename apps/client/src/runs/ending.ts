import type { FedsvdError } from '@fedsvd/core/errors'
import type { RunEnded } from '@fedsvd/core/protocol'

/**
 * How a run ends for a site: `ended` for everyone, `refused` for this site by the coordinator, or `declined` by this
 * site, which is asked for nothing more in it.
 */
export type SiteEnding =
  | ({ readonly kind: 'ended' | 'refused' } & RunEnded)
  | { readonly kind: 'declined'; readonly runId: string; readonly error: FedsvdError }

/**
 * The ends of runs, as they are for this site, for those who wait for the next one. The last is kept until somebody
 * asks.
 */
export class Endings {
  #waiting: ((ending: SiteEnding | Error) => void)[] = []
  #untaken: SiteEnding | Error | undefined

  /** Rejects when the coordinator has turned this site away. */
  async next(): Promise<SiteEnding> {
    const untaken = this.#untaken
    this.#untaken = undefined
    const ending = untaken ?? (await new Promise<SiteEnding | Error>((resolve) => this.#waiting.push(resolve)))
    if (ending instanceof Error) throw ending
    return ending
  }

  tell(ending: SiteEnding | Error): void {
    const waiting = this.#waiting
    this.#waiting = []
    if (waiting.length === 0) this.#untaken = ending
    for (const resolve of waiting) resolve(ending)
  }
}
