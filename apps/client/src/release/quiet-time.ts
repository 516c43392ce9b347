import { endOfHold } from '../transport/answer-hold.ts'
import type { ReleaseClock } from './release-clock.ts'
import { Spans } from './spans.ts'

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
  readonly #holdMs: number
  #working = 0
  #timing = 0
  /** Calls of `aside` under way, and one more while any engine is timed. */
  #aside = 0
  #isTimed = false
  /** When slots stand still. */
  readonly #still = new Spans()
  /** When the work under way is over, as far as that is known. */
  #until = Number.NEGATIVE_INFINITY
  #last: Promise<unknown> = Promise.resolve()
  #changed: (() => void)[] = []

  /** @param holdMs how long answers are kept back: work aside takes a multiple of it; 0 for as long as it takes */
  constructor(clock: Pick<ReleaseClock, 'now'>, holdMs = 0) {
    this.#clock = clock
    this.#holdMs = holdMs
  }

  /** How long rounds have stood still for timings and other work aside until a moment, in milliseconds. */
  totalMs(at = this.#clock.now()): number {
    return this.#still.before(at)
  }

  /** A clock that stands still together with the slots of rounds. */
  clockOf(clock: ReleaseClock): ReleaseClock {
    return { now: () => clock.now() - this.totalMs(), sleep: (...given) => clock.sleep(...given) }
  }

  /**
   * Does something that a coordinator asks for at a moment of its choice, and that takes the thread from whatever round
   * computes: the slots of rounds stand still meanwhile, and where answers are kept back, until the answer leaves. How
   * long the work took beside a round is then no part of it.
   *
   * @param asked when it was asked for
   */
  async aside<T>(work: () => Promise<T>, asked?: number): Promise<T> {
    const since = asked ?? this.#clock.now()
    this.#beginAside(since)
    try {
      return await work()
    } finally {
      const now = this.#clock.now()
      this.#endAside(asked === undefined || this.#holdMs === 0 ? now : endOfHold(since, now, this.#holdMs))
    }
  }

  #beginAside(at: number): void {
    this.#aside += 1
    this.#still.begin(at)
  }

  #endAside(at: number): void {
    this.#aside -= 1
    this.#until = Math.max(this.#until, at)
    if (this.#aside === 0) this.#still.end(this.#until)
  }

  /** Does something while no round computes; one after the other. */
  async during<T>(timing: () => Promise<T>): Promise<T> {
    this.#timing += 1
    const turn = this.#last.then(async () => {
      while (this.#working > 0) await this.#change()
      if (!this.#isTimed) this.#beginAside(this.#clock.now())
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
        this.#endAside(this.#clock.now())
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
