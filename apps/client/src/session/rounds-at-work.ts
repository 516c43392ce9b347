import type { Invitation } from '@fedsvd/core/protocol'
import { Latest } from '../transport/index.ts'

interface RoundAtWork {
  readonly round: number
  readonly uploadToken: Latest<string>
  readonly goAhead: Latest<true>
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** What a round needs to know of its place. */
export interface Shift {
  readonly uploadToken: Latest<string>
  /** There while the round may go on: whoever trains waits for it between two pieces of work. */
  readonly goAhead: Latest<true>
  readonly signal: AbortSignal
}

/** At most one round of each run is at work; a newer round of a run ends the older one. */
export class RoundsAtWork {
  readonly #work = new Map<string, RoundAtWork>()

  /** The round of this run that is at work. */
  roundOf(runId: string): number | undefined {
    return this.#work.get(runId)?.round
  }

  /**
   * Starts `train`, which must not reject; a round that is at work already goes on, also one that was held, with the newer
   * upload token. What `train`
   * resolves to is called when the round is no longer at work, so whoever hears of its end can begin it again.
   */
  start({ runId, round, uploadToken }: Invitation, train: (shift: Shift) => Promise<() => void>): void {
    const current = this.#work.get(runId)
    if (current?.round === round) {
      current.uploadToken.set(uploadToken)
      current.goAhead.set(true)
      return
    }
    current?.abort.abort(new Error('a newer round has begun'))
    const abort = new AbortController()
    const token = new Latest<string>()
    token.set(uploadToken)
    const goAhead = new Latest<true>()
    goAhead.set(true)
    const done = train({ uploadToken: token, goAhead, signal: abort.signal }).then((tellEnd) => {
      if (this.#work.get(runId)?.abort === abort) this.#work.delete(runId)
      tellEnd()
    })
    this.#work.set(runId, { round, uploadToken: token, goAhead, abort, done })
  }

  /** Holds the round of a run that is at work: nothing of it is lost, and it goes on when it is started again. */
  hold(runId: string): number | undefined {
    const current = this.#work.get(runId)
    current?.goAhead.clear()
    return current?.round
  }

  /** Ends the round of a run that is at work, if it is `upTo` or earlier, and waits for it. */
  async end(runId: string, reason: string, upTo = Number.POSITIVE_INFINITY): Promise<void> {
    const current = this.#work.get(runId)
    if (current === undefined || current.round > upTo) return
    current.abort.abort(new Error(reason))
    await current.done
  }

  async endAll(reason: string): Promise<void> {
    await Promise.all([...this.#work.keys()].map((runId) => this.end(runId, reason)))
  }
}
