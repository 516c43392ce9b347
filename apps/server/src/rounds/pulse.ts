/** The time, and a call at a time; handed in, so that tests decide how it passes. */
export interface Clock {
  now(): number
  /** Calls back once at or after `time`; the result cancels it. */
  at(time: number, callback: () => void): () => void
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  at(time, callback) {
    let timer: NodeJS.Timeout
    const arm = (): void => {
      const left = time - Date.now()
      timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(callback, Math.max(0, left))
    }
    arm()
    return () => clearTimeout(timer)
  },
}

/**
 * "Something about this run has changed; look again." Whoever waits looks at the state, finds nothing to do, and waits for
 * the next beat; as there is no await between looking and waiting, no beat is missed.
 */
export class Pulse {
  readonly #waiting = new Set<() => void>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  beat(): void {
    for (const wake of this.#waiting) wake()
  }

  /** Resolves at the next beat, or at `until` if that comes first. */
  next(until?: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel?.()
        this.#waiting.delete(wake)
        resolve()
      }
      this.#waiting.add(wake)
      const cancel = until === undefined ? undefined : this.#clock.at(until, wake)
    })
  }
}
