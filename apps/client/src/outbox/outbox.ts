import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AttemptKey, removeDurably, sha256Hex, writeFileDurably } from '../ledger/index.ts'

/** Finished frames that the coordinator has not answered for good. A retry sends these bytes and no others. */
export interface Outbox {
  /** Stores a frame durably. @returns its SHA-256 */
  put(key: AttemptKey, frame: Uint8Array): string
  /** The stored frame. @throws FedsvdError LEDGER_DAMAGED when it is missing or is not what the ledger recorded */
  get(key: AttemptKey, sha256: string): Uint8Array
  remove(key: AttemptKey): void
}

export function fileOutbox(stateDir: string): Outbox {
  const path = ({ runId, round, attempt }: AttemptKey): string =>
    join(stateDir, 'outbox', `${runId}-${round}-${attempt}.frame`)
  return {
    put(key, frame) {
      writeFileDurably(path(key), frame)
      return sha256Hex(frame)
    },
    get(key, sha256) {
      const frame = readIfThere(path(key))
      if (frame !== undefined && sha256Hex(frame) === sha256) return frame
      throw new FedsvdError('LEDGER_DAMAGED', {
        expected: `the frame ${sha256.slice(0, 16)}... in ${path(key)}`,
        got: frame === undefined ? 'no file' : 'other bytes',
        remedy: 'Restore the folder; this round cannot be sent again, and its budget stays spent',
      })
    },
    remove: (key) => removeDurably(path(key)),
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
