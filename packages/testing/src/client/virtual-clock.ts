import type { ReleaseClock } from '@fedsvd/client/release'

/** A clock that moves when it is told to, and by itself over every wait. */
export interface VirtualClock extends ReleaseClock {
  advance(milliseconds: number): void
}

export function virtualClock(): VirtualClock {
  let time = 0
  return {
    now: () => time,
    advance: (milliseconds) => {
      time += milliseconds
    },
    sleep: async (milliseconds, signal) => {
      signal.throwIfAborted()
      time += Math.max(0, milliseconds)
    },
  }
}
