import type { AwaitableValue } from '../platform/index.ts'
import type { ReleaseClock } from './release-clock.ts'

export interface ReleaseGridParts {
  readonly clock: ReleaseClock
  /** Length of a slot in milliseconds; 0 releases at once. */
  readonly slotMs: number
  /** There while the run is not paused. */
  readonly resumeGate: AwaitableValue<true>
  /** How long slots stood still until a moment of the clock that has come, in milliseconds. */
  pausedMs(at: number): number
}

/**
 * The slots of one round, one behind the other; they stand still while the run is paused.
 *
 * They begin with the training and not with the invitation: a site waits for its coordinator before (for the published
 * state, for the answer to a report), and one that is slow on purpose would otherwise choose how much of a slot is left
 * to the training, and learn by the slot of the release whether that was enough.
 */
export interface ReleaseGrid {
  /**
   * Begins the first slot, where none has begun: from here on only the site's own work takes time.
   *
   * @param at the public moment from which that is so, however late a busy process has come to it; else now
   */
  begin(at?: number): void
  /**
   * Waits for the end of the slot that is under way. Whatever follows from the training of a round is sent behind this:
   * its update, or that it failed. Where nothing was trained the first slot begins now.
   *
   * @returns when the slot ended, in milliseconds of the clock, however late it was noticed
   * @throws the signal's reason when it aborts first
   */
  endOfSlot(signal: AbortSignal): Promise<number>
  /**
   * For a round that is ended from outside at this moment: waits for the end of the slot under way, whether the run is
   * paused or not, and not at all where none has begun. Before that, nothing shows how far the training was.
   *
   * @param at when that was asked for, however late a busy process has come to it; else now
   * @throws the signal's reason when it aborts first
   */
  endOfCutSlot(signal: AbortSignal, at?: number): Promise<void>
}

export function releaseGrid({ clock, slotMs, resumeGate, pausedMs }: ReleaseGridParts): ReleaseGrid {
  let begun: { readonly at: number; readonly pausedMs: number } | undefined
  const begin = (at = clock.now()) => (begun ??= { at, pausedMs: pausedMs(at) })
  const elapsedSince = (start: NonNullable<typeof begun>, now: number): number =>
    now - start.at - (pausedMs(now) - start.pausedMs)
  const endOf = (elapsed: number): number => Math.max(1, Math.ceil(elapsed / slotMs)) * slotMs
  return {
    begin,
    async endOfSlot(signal) {
      const start = begin()
      if (slotMs === 0) return clock.now()
      await resumeGate.value(signal)
      const end = endOf(elapsedSince(start, clock.now()))
      for (;;) {
        let now = clock.now()
        let over = elapsedSince(start, now) - end
        if (over >= 0) {
          // Slots may have stood still since then: that is gone back over as well.
          for (; over > LEAST_MS; over = elapsedSince(start, now) - end) now -= over
          return now
        }
        await resumeGate.value(signal)
        await clock.sleep(end - elapsedSince(start, clock.now()), signal)
      }
    },
    async endOfCutSlot(signal, at = clock.now()) {
      if (slotMs === 0 || begun === undefined) return
      const elapsed = elapsedSince(begun, at)
      const until = at + endOf(elapsed) - elapsed
      for (let left = until - clock.now(); left > 0; left = until - clock.now()) await clock.sleep(left, signal)
    },
  }
}

/** A microsecond: less is rounding. */
const LEAST_MS = 1e-3
