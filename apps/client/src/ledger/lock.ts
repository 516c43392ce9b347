import { FedsvdError } from '@fedsvd/core/errors'
import { type FileLock, lockFile } from '@fedsvd/engine/files'

/**
 * Makes this process the only one that spends the budget of a data set, or refuses at once.
 *
 * @throws FedsvdError LEDGER_LOCKED naming the holder's process number
 */
export function lockLedger(path: string): FileLock {
  return lockFile(
    path,
    (holder) =>
      new FedsvdError('LEDGER_LOCKED', {
        expected: 'to be the only process that spends the budget of this data set',
        got: `${holder}, which holds ${path}`,
        remedy: 'Stop the other client, or give this one other data.',
      }),
  )
}
