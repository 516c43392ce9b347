import type { ReleaseClock } from './release-clock.ts'

/** When the first records of a run may be ready at the earliest, after the run was agreed to. */
const FIRST_MS = 1000

/**
 * The public moments at which the records of a run count as ready: 1, 2, 4, 8 ... seconds after the agreement. How long
 * it took to tokenise them follows from their lengths, so it is told to its order of magnitude alone, and at moments
 * that no coordinator can move against it by the time of its invitation.
 *
 * @param agreedAt by the clock
 * @returns when what is ready now counts as ready
 */
export function readyTime(agreedAt: number, clock: Pick<ReleaseClock, 'now'>): number {
  let after = FIRST_MS
  while (agreedAt + after < clock.now()) after *= 2
  return agreedAt + after
}

/**
 * Waits for {@link readyTime}.
 *
 * @returns that time, by the clock, however late it was noticed
 * @throws the signal's reason when it aborts first
 */
export async function untilReady(agreedAt: number, clock: ReleaseClock, signal: AbortSignal): Promise<number> {
  const until = readyTime(agreedAt, clock)
  for (let left = until - clock.now(); left > 0; left = until - clock.now()) await clock.sleep(left, signal)
  return until
}
