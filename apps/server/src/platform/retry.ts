import { type FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { Clock } from './clock.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000

/** Waits, or ends early when the signal is aborted. */
export function sleep(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.at(clock.now() + milliseconds, done)
    if (signal.aborted) done()
    else signal.addEventListener('abort', done)
  })
}

/** True for what passes by waiting: a database or a store of tensors that is away or full. */
export function isOutage(error: unknown): error is FedsvdError {
  return isFedsvdError(error, 'DATABASE_UNAVAILABLE') || isFedsvdError(error, 'STORAGE_UNAVAILABLE')
}

/**
 * Retries an idempotent action while the database or the object store does not answer. For actions that no caller would
 * repeat: an answer that a client gave once must not be lost because the database was unavailable at that moment.
 *
 * @throws whatever else the action throws, and DATABASE_UNAVAILABLE or STORAGE_UNAVAILABLE once the signal is aborted
 */
export async function retryDuringOutage<T>(action: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(LONGEST_PAUSE_MS, 2 * wait)) {
    try {
      return await action()
    } catch (error) {
      if (!isOutage(error) || signal.aborted) throw error
      await sleep(clock, wait, signal)
    }
  }
}
