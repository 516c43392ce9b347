/** The time, and a call at a time; handed in, so that tests decide how it passes. */
export interface Clock {
  now(): number
  /** Calls back once at or after `time`; the result cancels it. */
  at(time: number, callback: () => void): () => void
}

const LONGEST_TIMER_MS = 2 ** 31 - 1
/** A difference that a time server makes up for by itself. */
const TOLERANCE_MS = 1000
/** How long the machine's time has to stay changed before it is believed. */
const SETTLED_MS = 60_000

export interface TimeSources {
  /** Milliseconds since 1970, as the machine has it at the moment: it can jump either way. */
  readonly wall: () => number
  /** Milliseconds since some moment; they only ever pass. */
  readonly monotonic: () => number
}

const MACHINE: TimeSources = { wall: () => Date.now(), monotonic: () => performance.now() }

/**
 * The machine's time without its jumps. What is measured with it passes at the speed of the monotonic clock; the time
 * of day is followed where it drifts by less than a second, and a jump is followed once it has lasted for a minute. So
 * a clock that is set wrong for a while moves no deadline, no lease and no session; one that is set right for good is
 * right here a minute later.
 */
export function steadyClock({ wall, monotonic }: TimeSources = MACHINE): Clock {
  let offset = wall() - monotonic()
  let jump: { readonly offset: number; readonly since: number } | undefined

  function now(): number {
    const passed = monotonic()
    const seen = wall() - passed
    if (Math.abs(seen - offset) <= TOLERANCE_MS) {
      offset = seen
      jump = undefined
    } else if (jump === undefined || Math.abs(seen - jump.offset) > TOLERANCE_MS) {
      jump = { offset: seen, since: passed }
    } else if (passed - jump.since >= SETTLED_MS) {
      offset = seen
      jump = undefined
    }
    return Math.floor(passed + offset)
  }

  return {
    now,
    at(time, callback) {
      let timer: NodeJS.Timeout
      const arm = (): void => {
        const left = time - now()
        timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(callback, Math.max(0, left))
      }
      arm()
      return () => clearTimeout(timer)
    },
  }
}

/** One for the process, so that all its parts have the same time. */
export const systemClock: Clock = steadyClock()

/**
 * "Something about this run has changed; look again." A waiting task looks at the state, finds nothing to do, and waits
 * for the next change. One that does something else between looking and waiting reads the number of changes before it
 * looks, so that it misses none.
 */
export class ChangeSignal {
  readonly #waiting = new Set<() => void>()
  readonly #clock: Clock
  #changes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many changes there were so far. */
  get changes(): number {
    return this.#changes
  }

  notify(): void {
    this.#changes += 1
    for (const wake of this.#waiting) wake()
  }

  /** Resolves at the change after number `seen`, by default the next one, or at `until` if that comes first. */
  wait(until?: number, seen = this.#changes): Promise<void> {
    if (seen !== this.#changes) return Promise.resolve()
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
