import { setTimeout as pause } from 'node:timers/promises'
import type { LoggedEvent } from '@fedsvd/client/event-log'

/** How often the log is looked at. */
const LOOK_MS = 500

/**
 * Calls back with each event that comes behind those that are there now, until the signal aborts.
 *
 * @param read the whole log, as it is when it is called
 */
export async function watchLog(
  read: () => readonly LoggedEvent[],
  onEvent: (event: LoggedEvent) => void,
  signal: AbortSignal,
  lookMs = LOOK_MS,
): Promise<void> {
  let seen = read()
  while (!signal.aborted) {
    await pause(lookMs, undefined, { signal }).catch(() => {})
    const all = read()
    for (const event of newEvents(seen, all)) onEvent(event)
    seen = all
  }
}

/** What stands behind the last event that was seen; all, where that one is gone: the log was put aside meanwhile. */
export function newEvents(seen: readonly LoggedEvent[], all: readonly LoggedEvent[]): readonly LoggedEvent[] {
  const last = seen.at(-1)
  if (last === undefined) return all
  const text = JSON.stringify(last)
  const index = all.findLastIndex((event) => JSON.stringify(event) === text)
  return all.slice(index + 1)
}
