import type { Invitation } from '@fedsvd/core/protocol'
import { AwaitableValue } from '../platform/index.ts'
import { Spans } from '../release/index.ts'
import { CutOff } from '../transport/index.ts'

interface ActiveRound {
  readonly round: number
  readonly uploadToken: AwaitableValue<string>
  /** When the invitation with it came. */
  tokenCameAt: number
  readonly resumeGate: AwaitableValue<true>
  readonly pause: Spans
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** What a round needs to know of its place. */
export interface RoundHandle {
  readonly uploadToken: AwaitableValue<string>
  /** When the newest upload token came, in milliseconds of the clock. */
  tokenCameAt(): number
  /** There while the round may go on: whoever trains waits for it between two pieces of work. */
  readonly resumeGate: AwaitableValue<true>
  /** How long the round was held until a moment, in milliseconds. */
  pausedMs(at: number): number
  readonly signal: AbortSignal
}

/** At most one round of each run is at work; a newer round of a run ends the older one. */
export class ActiveRounds {
  readonly #now: () => number
  readonly #work = new Map<string, ActiveRound>()

  /** @param now milliseconds since some moment, of a clock that never jumps */
  constructor(now: () => number) {
    this.#now = now
  }

  /** The round of this run that is at work. */
  roundOf(runId: string): number | undefined {
    return this.#work.get(runId)?.round
  }

  /**
   * Starts `train`, which must not reject; a round that is at work already goes on, also one that was held, with the
   * newer upload token. What `train` resolves to is called when the round is no longer at work, so whoever hears of its
   * end can begin it again.
   *
   * @param at when the invitation came: a hold ends then
   */
  start(
    { runId, round, uploadToken }: Invitation,
    train: (handle: RoundHandle) => Promise<() => void>,
    at: number = this.#now(),
  ): void {
    const current = this.#work.get(runId)
    if (current?.round === round) {
      current.tokenCameAt = at
      current.uploadToken.set(uploadToken)
      current.pause.end(at)
      current.resumeGate.set(true)
      return
    }
    current?.abort.abort(new CutOff('a newer round has begun', at))
    const abort = new AbortController()
    const token = new AwaitableValue<string>()
    token.set(uploadToken)
    const resumeGate = new AwaitableValue<true>()
    resumeGate.set(true)
    const pause = new Spans()
    const pausedMs = (until: number) => pause.before(until)
    const tokenCameAt = (): number => this.#work.get(runId)?.tokenCameAt ?? at
    const done = train({ uploadToken: token, tokenCameAt, resumeGate, pausedMs, signal: abort.signal }).then(
      (tellEnd) => {
        if (this.#work.get(runId)?.abort === abort) this.#work.delete(runId)
        tellEnd()
      },
    )
    this.#work.set(runId, { round, uploadToken: token, tokenCameAt: at, resumeGate, pause, abort, done })
  }

  /** Holds the round of a run that is at work: nothing of it is lost, and it goes on when it is started again. */
  hold(runId: string, at: number = this.#now()): number | undefined {
    const current = this.#work.get(runId)
    current?.resumeGate.clear()
    current?.pause.begin(at)
    return current?.round
  }

  /** Ends the round of a run that is at work, if it is `upTo` or earlier, and waits for it. */
  async end(runId: string, reason: CutOff, upTo = Number.POSITIVE_INFINITY): Promise<void> {
    const current = this.#work.get(runId)
    if (current === undefined || current.round > upTo) return
    current.abort.abort(reason)
    await current.done
  }

  async endAll(reason: CutOff): Promise<void> {
    await Promise.all([...this.#work.keys()].map((runId) => this.end(runId, reason)))
  }
}
