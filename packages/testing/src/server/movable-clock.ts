import { type Clock, systemClock } from '@fedsvd/server/platform'

/** The system's clock, which a test can put forward: what is due by then happens at once. */
export class MovableClock implements Clock {
  #offset = 0
  readonly #timers = new Set<{ readonly time: number; readonly fire: () => void }>()

  now(): number {
    return systemClock.now() + this.#offset
  }

  at(time: number, callback: () => void): () => void {
    const cancel = (): void => {
      cancelTimer()
      this.#timers.delete(timer)
    }
    const fire = (): void => {
      cancel()
      callback()
    }
    const timer = { time, fire }
    const cancelTimer = systemClock.at(time - this.#offset, fire)
    this.#timers.add(timer)
    return cancel
  }

  advance(milliseconds: number): void {
    this.#offset += milliseconds
    const due = Array.from(this.#timers).filter(({ time }) => time <= this.now())
    for (const { fire } of due) fire()
  }
}
