import type { ClientRateLimitInfo, Store } from 'express-rate-limit'

/**
 * Counts the calls of each caller in windows of time, in memory. The windows are measured by the monotonic clock: the
 * store that comes with express-rate-limit measures by the time of day, and a clock that was ahead for a moment locks
 * callers out.
 */
export class WindowedHits implements Store {
  readonly localKeys = true
  readonly #windowMs: number
  /** In the order in which the windows began, so that those that have ended are at the front. */
  readonly #windows = new Map<string, { hits: number; readonly endsAt: number }>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  increment(key: string): ClientRateLimitInfo {
    const now = performance.now()
    for (const [other, { endsAt }] of this.#windows) {
      if (endsAt > now) break
      this.#windows.delete(other)
    }
    const window = this.#windows.get(key) ?? { hits: 0, endsAt: now + this.#windowMs }
    window.hits += 1
    this.#windows.set(key, window)
    return { totalHits: window.hits, resetTime: new Date(Date.now() + window.endsAt - now) }
  }

  decrement(key: string): void {
    const window = this.#windows.get(key)
    if (window !== undefined && window.hits > 0) window.hits -= 1
  }

  resetKey(key: string): void {
    this.#windows.delete(key)
  }
}
