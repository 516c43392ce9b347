import { type FedsvdError, isFedsvdError, systemFault } from '@fedsvd/core/errors'
import type { ReleaseClock } from '../release/index.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000

export interface DiskRoomOptions {
  readonly clock: ReleaseClock
  /** How long a full disk is waited for, all waits together counted from now. */
  readonly limitMs: number
  readonly signal: AbortSignal
  /** Told at the first failure of each wait, and when it is over. */
  onFull(error: FedsvdError): void
  onRoom(): void
}

/** Does something that may safely be done again, and does it again while the disk takes no more. */
export type WhenDiskHasRoom = <T>(action: () => T | Promise<T>) => Promise<T>

/**
 * A full disk is waited for, as the coordinator does, because what is kept on it was paid for and somebody can make
 * room.
 *
 * @returns rejects with the fault of the disk where there is no room within the limit, with whatever else the action
 *   throws, and with the signal's reason when it aborts
 */
export function whenDiskHasRoom({ clock, limitMs, signal, onFull, onRoom }: DiskRoomOptions): WhenDiskHasRoom {
  const until = clock.now() + limitMs
  return async (action) => {
    for (let wait = FIRST_PAUSE_MS, isFull = false; ; wait = Math.min(LONGEST_PAUSE_MS, 2 * wait)) {
      try {
        const result = await action()
        if (isFull) onRoom()
        return result
      } catch (error) {
        const fault = isFedsvdError(error) ? error : systemFault(error)
        if (fault?.code !== 'STORAGE_UNAVAILABLE' || clock.now() >= until) throw error
        if (!isFull) onFull(fault)
        isFull = true
        await clock.sleep(Math.min(wait, Math.max(1, until - clock.now())), signal)
      }
    }
  }
}
