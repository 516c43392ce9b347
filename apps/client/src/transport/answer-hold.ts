import { monotonicMs } from '../platform/index.ts'
import { answerJitterMs } from './answer-jitter.ts'
import { type Pause, pause as systemPause } from './back-off.ts'

/**
 * Where releases are on a grid of time, what a site answers leaves so long behind its question. It is more than the
 * longest turn that the process takes while it trains, so no answer tells whether there was one.
 */
export const ANSWER_HOLD_MS = 500

/**
 * Keeps messages back until a fixed time behind the public moment that they follow from, or a multiple of it: when they
 * were ready is not seen.
 */
export class AnswerHold {
  readonly #holdMs: number
  readonly #now: () => number
  readonly #pause: Pause
  readonly #jitterMs: () => number
  readonly #held = new Set<Promise<void>>()

  /** @param holdMs 0 keeps nothing back */
  constructor(
    holdMs: number,
    now: () => number = monotonicMs,
    pause: Pause = systemPause,
    jitterMs: () => number = answerJitterMs,
  ) {
    this.#holdMs = holdMs
    this.#now = now
    this.#pause = pause
    this.#jitterMs = jitterMs
  }

  /**
   * Waits for the next multiple of the time behind `cause`, in milliseconds of the clock, at least for the first; and
   * for some milliseconds drawn at random.
   */
  async behind(cause: number): Promise<void> {
    if (this.#holdMs === 0) return
    const held = this.#until(endOfHold(cause, this.#now(), this.#holdMs) + this.#jitterMs())
    this.#held.add(held)
    await held
    this.#held.delete(held)
  }

  /** Settles when all that is kept back now may leave. */
  async settled(): Promise<void> {
    await Promise.all(this.#held)
  }

  async #until(end: number): Promise<void> {
    const never = new AbortController().signal
    for (let left = end - this.#now(); left > 0; left = end - this.#now()) await this.#pause(Math.ceil(left), never)
  }
}

/** When a message leaves that follows from `cause` and is ready at `ready`; `holdMs` 0 keeps nothing back. */
export function endOfHold(cause: number, ready: number, holdMs: number): number {
  if (holdMs === 0) return ready
  return cause + holdMs * Math.max(1, Math.ceil((ready - cause) / holdMs))
}
