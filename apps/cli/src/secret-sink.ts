import { writeFile } from 'node:fs/promises'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'

/**
 * Writes a secret into a new file that its owner alone can read.
 *
 * @param option the one that named the file
 * @throws FedsvdError CONFIG_INVALID when the file is there already, or cannot be written
 */
export async function keepSecret(file: string, secret: string, option = '--secret-file'): Promise<void> {
  await writeFile(file, `${secret}\n`, { flag: 'wx', mode: 0o600 }).catch((cause: Error) => {
    throw new FedsvdError(
      'CONFIG_INVALID',
      {
        expected: `a new file at ${file}`,
        got: systemFault(cause)?.detail.got ?? cause.message,
        remedy: `Name another file with ${option}.`,
      },
      { cause },
    )
  })
}
