import type { AwaitableValue } from '../platform/index.ts'
import type { ReleaseClock } from './release-clock.ts'

export interface ReleaseGridParts {
  readonly clock: ReleaseClock
  /** Length of a slot in milliseconds; 0 releases at once. */
  readonly slotMs: number
  /** There while the run is not paused. */
  readonly resumeGate: AwaitableValue<true>
  /** How long the round was paused so far, in milliseconds. */
  pausedMs(): number
}

/**
 * The slots of one round: they begin when the grid is made, one behind the other, and stand still while the run is
 * paused.
 */
export interface ReleaseGrid {
  /**
   * Waits for the end of the slot that is under way. Whatever follows from the training of a round is sent behind this:
   * its update, or that it failed.
   *
   * @throws the signal's reason when it aborts first
   */
  endOfSlot(signal: AbortSignal): Promise<void>
}

/** Begins the first slot. */
export function releaseGrid({ clock, slotMs, resumeGate, pausedMs }: ReleaseGridParts): ReleaseGrid {
  const pausedBefore = pausedMs()
  const started = clock.now()
  const elapsed = (): number => clock.now() - started - (pausedMs() - pausedBefore)
  return {
    async endOfSlot(signal) {
      if (slotMs === 0) return
      await resumeGate.value(signal)
      const end = Math.max(1, Math.ceil(elapsed() / slotMs)) * slotMs
      for (let left = end - elapsed(); left > 0; left = end - elapsed()) {
        await clock.sleep(left, signal)
        await resumeGate.value(signal)
      }
    },
  }
}
