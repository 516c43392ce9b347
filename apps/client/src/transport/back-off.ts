import { setTimeout as delay } from 'node:timers/promises'

const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 15_000

/**
 * Waiting times in milliseconds that double up to 15 s. Each is drawn from the upper half of its span, so that many
 * clients do not come back in step. It never ends: a coordinator may be gone for long.
 */
export function* backOff(random: () => number = Math.random): Generator<number, never> {
  for (let span = FIRST_WAIT_MS; ; span = Math.min(2 * span, LONGEST_WAIT_MS)) yield span * (0.5 + 0.5 * random())
}

/** Waits so many milliseconds. @throws the signal's reason when it aborts first */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>

/** Waits. @throws the signal's reason when it aborts first */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted())
}
