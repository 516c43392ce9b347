import type { ReleaseClock } from './release-clock.ts'

/** What a round does on the machine that another one's timing must not run beside. */
export interface Work {
  /**
   * Between two pieces of work: waits for `until`, and lets those who wait for a quiet machine have it. @throws as
   * `work`
   */
  rest(until: () => Promise<unknown>): Promise<void>
  [Symbol.dispose](): void
}

/**
 * Keeps rounds from computing while the engine of another run is timed for its slots: what is timed would follow how
 * much the other computes. A round gives way between two micro-batches, and its own slots stand still for as long,
 * whether it was computing or not, so that their ends do not tell either.
 */
export class QuietTime {
  readonly #clock: Pick<ReleaseClock, 'now'>
  #working = 0
  #timing = 0
  /** Work under way that a coordinator asked for; all timings together are one. */
  #aside = 0
  #isTimed = false
  #since: number | undefined
  #before = 0
  #last: Promise<unknown> = Promise.resolve()
  #changed: (() => void)[] = []

  constructor(clock: Pick<ReleaseClock, 'now'>) {
    this.#clock = clock
  }

  /** How long rounds have stood still for timings and other work aside, in milliseconds. */
  totalMs(): number {
    return this.#before + (this.#since === undefined ? 0 : this.#clock.now() - this.#since)
  }

  /** A clock that stands still together with the slots of rounds. */
  clockOf(clock: ReleaseClock): ReleaseClock {
    return { now: () => clock.now() - this.totalMs(), sleep: (...given) => clock.sleep(...given) }
  }

  /**
   * Does something that a coordinator asks for at a moment of its choice, and that takes the thread from whatever round
   * computes: the slots of rounds stand still meanwhile.
   */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    this.#beginAside()
    try {
      return await work()
    } finally {
      this.#endAside()
    }
  }

  #beginAside(): void {
    this.#aside += 1
    this.#since ??= this.#clock.now()
  }

  #endAside(): void {
    this.#aside -= 1
    if (this.#aside > 0) return
    this.#before = this.totalMs()
    this.#since = undefined
  }

  /** Does something while no round computes; one after the other. */
  async during<T>(timing: () => Promise<T>): Promise<T> {
    this.#timing += 1
    const turn = this.#last.then(async () => {
      while (this.#working > 0) await this.#change()
      if (!this.#isTimed) this.#beginAside()
      this.#isTimed = true
      return await timing()
    })
    this.#last = turn.catch(() => {})
    try {
      return await turn
    } finally {
      this.#timing -= 1
      if (this.#timing === 0) {
        this.#isTimed = false
        this.#endAside()
      }
      this.#tell()
    }
  }

  /** Begins to compute, when nothing is timed. @throws the signal's reason when it aborts */
  async work(signal: AbortSignal): Promise<Work> {
    await this.#untilTimed(signal)
    this.#working += 1
    let isOver = false
    return {
      rest: async (until) => {
        this.#working -= 1
        this.#tell()
        try {
          await until()
          await this.#untilTimed(signal)
        } finally {
          this.#working += 1
        }
      },
      [Symbol.dispose]: () => {
        if (isOver) return
        isOver = true
        this.#working -= 1
        this.#tell()
      },
    }
  }

  async #untilTimed(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#tell()
    signal.addEventListener('abort', stop)
    try {
      while (this.#timing > 0) {
        signal.throwIfAborted()
        await this.#change()
      }
      signal.throwIfAborted()
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve))
  }

  #tell(): void {
    const waiting = this.#changed
    this.#changed = []
    for (const resolve of waiting) resolve()
  }
}
