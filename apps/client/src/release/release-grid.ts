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
 * The slots of one round, one behind the other; they stand still while the run is paused.
 *
 * They begin with the training and not with the invitation: a site waits for its coordinator before (for the published
 * state, for the answer to a report), and one that is slow on purpose would otherwise choose how much of a slot is left
 * to the training, and learn by the slot of the release whether that was enough.
 */
export interface ReleaseGrid {
  /** Begins the first slot, where none has begun: from here on only the site's own work takes time. */
  begin(): void
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
   * @throws the signal's reason when it aborts first
   */
  endOfCutSlot(signal: AbortSignal): Promise<void>
}

export function releaseGrid({ clock, slotMs, resumeGate, pausedMs }: ReleaseGridParts): ReleaseGrid {
  let begun: { readonly at: number; readonly pausedMs: number } | undefined
  const begin = () => (begun ??= { at: clock.now(), pausedMs: pausedMs() })
  const elapsedSince = (start: NonNullable<typeof begun>): number =>
    clock.now() - start.at - (pausedMs() - start.pausedMs)
  const endOf = (elapsed: number): number => Math.max(1, Math.ceil(elapsed / slotMs)) * slotMs
  return {
    begin,
    async endOfSlot(signal) {
      const start = begin()
      if (slotMs === 0) return clock.now()
      await resumeGate.value(signal)
      const end = endOf(elapsedSince(start))
      let left = end - elapsedSince(start)
      for (; left > 0; left = end - elapsedSince(start)) {
        await clock.sleep(left, signal)
        await resumeGate.value(signal)
      }
      return clock.now() + left
    },
    async endOfCutSlot(signal) {
      if (slotMs === 0 || begun === undefined) return
      const elapsed = elapsedSince(begun)
      const until = clock.now() + endOf(elapsed) - elapsed
      for (let left = until - clock.now(); left > 0; left = until - clock.now()) await clock.sleep(left, signal)
    },
  }
}
