import { FedsvdError } from '@fedsvd/core/errors'
import { type FileLock, lockData, lockFile } from '@fedsvd/engine/files/locks'

/**
 * Makes this process the only one that spends the budget of a data set, or refuses at once.
 *
 * @throws FedsvdError LEDGER_LOCKED naming the holder's process number
 */
export function lockLedger(path: string): FileLock {
  return lockFile(path, (holder) => lockedBy(holder, path))
}

/**
 * Locks the ledger itself as well. It may have several names (a symbolic or a hard link, such as a backup of links
 * has), and each name has a lock file of its own; a lock file may be removed while it is held.
 *
 * @throws FedsvdError LEDGER_LOCKED
 */
export function lockLedgerItself(path: string): FileLock {
  return lockData(path, (holder) => lockedBy(holder, path))
}

function lockedBy(holder: string, path: string): FedsvdError {
  return new FedsvdError('LEDGER_LOCKED', {
    expected: 'to be the only process that spends the budget of this data set',
    got: `${holder}, which holds ${path}`,
    remedy: 'Stop the other client, or give this one other data.',
  })
}
