import { monotonicMs, turn } from '../platform/index.ts'
import { pause } from '../transport/back-off.ts'

/** Time as releases are measured in: it never jumps. */
export interface ReleaseClock {
  /** Milliseconds since some moment. */
  now(): number
  /** @throws the signal's reason when it aborts first */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** No timer of the system may be set for longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: ReleaseClock = {
  now: monotonicMs,
  sleep: async (milliseconds, signal) => {
    await pause(Math.min(Math.max(0, milliseconds), LONGEST_TIMER_MS), signal)
    await turn() // a busy process hears of its timers before it hears of messages that came sooner
    signal.throwIfAborted()
  },
}
