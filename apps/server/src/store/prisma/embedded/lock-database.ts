import { FedsvdError } from '@fedsvd/core/errors'
import { type FileLock, lockFile } from '@fedsvd/engine/files'

/**
 * Claims the folder of an embedded database for this process, or refuses at once.
 *
 * @throws FedsvdError DATABASE_LOCKED naming the process that holds it
 */
export function lockDatabase(file: string): FileLock {
  return lockFile(
    file,
    (holder) =>
      new FedsvdError('DATABASE_LOCKED', {
        expected: 'an embedded database that no other process uses',
        got: `${file}, held by ${holder}`,
        remedy: 'Stop that coordinator, choose another state folder, or set DATABASE_URL to use PostgreSQL.',
      }),
  )
}
