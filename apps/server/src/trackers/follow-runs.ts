import type { Logger } from 'pino'
import { type Clock, sleep } from '../platform/index.ts'
import type { RunFacts } from './run-facts.ts'
import { type Tracker, TrackerRefused } from './tracker.ts'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 300_000
/** A tracker is told of changes this often at most, */
const LEAST_INTERVAL_MS = 1000
/** and works for one part in so many of the time. */
const SHARE_OF_TIME = 10
/** As long as an end of the coordinator waits for it, at most. */
const LAST_WORDS_MS = 3000

export interface FollowOptions {
  readonly tracker: Tracker
  /** Undefined for a run of which another coordinator tells. */
  readonly factsOf: (runId: string) => Promise<RunFacts | undefined>
  readonly clock: Clock
  readonly log: Logger
  readonly leastIntervalMs?: number | undefined
  /** How long an end may wait for the tracker. */
  readonly lastWordsMs?: number | undefined
}

/**
 * Brings runs to a tracker, beside the rounds and never in their way. Nothing is queued but which runs have changed, so
 * that there are never more than there are runs: what is told is read when it is told, and a tracker that was away for
 * a day is told all of it. One log line says that it is away, and one that it is back.
 */
export class RunFollower implements AsyncDisposable {
  readonly #options: FollowOptions
  readonly #changed = new Set<string>()
  /** Runs of which the tracker will hear no more before the next start. */
  readonly #refused = new Set<string>()
  readonly #controller = new AbortController()
  #working: Promise<void> | undefined
  #failures = 0
  #isEnding = false

  constructor(options: FollowOptions) {
    this.#options = options
  }

  /** Something of the run has changed. */
  changed(runId: string): void {
    if (this.#isEnding || this.#refused.has(runId)) return
    this.#changed.add(runId)
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
      if (this.#changed.size > 0 && !this.#isEnding) this.changed(this.#changed.values().next().value!)
    })
  }

  /** Tells what has changed, for a moment at most, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    const { clock, tracker, lastWordsMs = LAST_WORDS_MS } = this.#options
    const cancel = clock.at(clock.now() + Math.min(lastWordsMs, LAST_WORDS_MS), () => this.#controller.abort())
    if (this.#failures > 0) this.#controller.abort()
    this.#wake()
    // Accounting under way cannot be aborted: what comes of it is told at the next start.
    await Promise.race([this.#working, aborted(this.#controller.signal)])
    cancel()
    await tracker[Symbol.asyncDispose]()
  }

  #wake = (): void => {}

  async #work(): Promise<void> {
    const { clock, leastIntervalMs = LEAST_INTERVAL_MS } = this.#options
    for (const runId of this.#changed) {
      if (this.#controller.signal.aborted) return
      this.#changed.delete(runId) // what changes from here on is told at the next turn
      const begunAt = clock.now()
      const isTold = await this.#bring(runId)
      if (!isTold) this.#changed.add(runId)
      const pause = isTold
        ? Math.max(leastIntervalMs, SHARE_OF_TIME * (clock.now() - begunAt))
        : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1))
      if (!isTold && this.#isEnding) return
      await this.#pause(pause)
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#isEnding) return
    const wake = new AbortController()
    this.#wake = () => wake.abort()
    await sleep(this.#options.clock, milliseconds, wake.signal)
  }

  /** False where it has to be tried again. */
  async #bring(runId: string): Promise<boolean> {
    const { tracker, factsOf, log } = this.#options
    try {
      const facts = await factsOf(runId)
      if (facts === undefined) tracker.forget(runId)
      else await tracker.bring(facts, this.#controller.signal)
      if (this.#failures > 0) log.info({ tracker: tracker.name }, 'the tracker answers again')
      this.#failures = 0
      return true
    } catch (error) {
      tracker.forget(runId)
      if (error instanceof TrackerRefused) {
        this.#refused.add(runId)
        log.warn({ tracker: tracker.name, runId, reason: reasonOf(error) }, 'the tracker takes no more of a run')
        return true
      }
      if (this.#failures === 0 && !this.#isEnding)
        log.warn({ tracker: tracker.name, reason: reasonOf(error) }, 'the tracker cannot be told; trying again')
      this.#failures += 1
      return false
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** One line, however much a tracker said. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  const text = cause instanceof Error ? `${message}: ${cause.message}` : message
  return String(text).replace(/\s+/g, ' ').slice(0, 300)
}
