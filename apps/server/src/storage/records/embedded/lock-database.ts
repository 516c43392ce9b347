import { FedsvdError } from '@fedsvd/core/errors'
import { type FileLock, lockData, lockFile } from '@fedsvd/engine/files/locks'

/**
 * Claims the folder of an embedded database for this process, or refuses at once.
 *
 * @throws FedsvdError DATABASE_LOCKED naming the process that holds it
 */
export function lockDatabase(file: string): FileLock {
  return lockFile(file, (holder) => locked(`${file}, held by ${holder}`))
}

/**
 * Claims the database itself, so that a second coordinator is refused even where the lock file was removed.
 *
 * @throws FedsvdError DATABASE_LOCKED
 */
export function lockDatabaseFiles(data: string): FileLock {
  const file = `${data}/PG_VERSION`
  return lockData(file, (holder) => locked(`${data}, used by ${holder}, whose lock file is gone`))
}

function locked(got: string): FedsvdError {
  return new FedsvdError('DATABASE_LOCKED', {
    expected: 'an embedded database that no other process uses',
    got,
    remedy: 'Stop that coordinator, choose another state folder, or set DATABASE_URL to use PostgreSQL.',
  })
}
