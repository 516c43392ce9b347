import { access, readFile } from 'node:fs/promises'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'

/** Codes of the system for what is not there. */
const ABSENT: readonly unknown[] = ['ENOENT', 'ENOTDIR']

const isAbsent = (error: unknown): boolean => ABSENT.includes((error as NodeJS.ErrnoException).code)

/**
 * The refusal of a file of a checkpoint that the system does not let this process read.
 *
 * @param remedy what to do where nothing is there; for anything else the system's own fault says it
 */
export function unreadableFile(path: string, cause: unknown, remedy: string): FedsvdError {
  const { got = String(cause), remedy: usual = remedy } = systemFault(cause)?.detail ?? {}
  return new FedsvdError(
    'CHECKPOINT_INVALID',
    { expected: `a readable file ${path}`, got, remedy: isAbsent(cause) ? remedy : usual },
    { cause },
  )
}

/** A file's bytes. @throws FedsvdError CHECKPOINT_INVALID with the remedy where it cannot be read */
export async function readBytes(path: string, remedy: string): Promise<Buffer> {
  return await readFile(path).catch((cause: unknown) => {
    throw unreadableFile(path, cause, remedy)
  })
}

/**
 * A file's bytes, or undefined where there is none; one that may not be read is not taken for one that is not there.
 */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  return await readFile(path).catch((cause: unknown) => {
    if (isAbsent(cause)) return undefined
    throw unreadableFile(path, cause, 'Check it.')
  })
}

/** Whether something is there. @throws FedsvdError CHECKPOINT_INVALID where the system does not say */
export async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    (cause: unknown) => {
      if (isAbsent(cause)) return false
      throw unreadableFile(path, cause, 'Check it.')
    },
  )
}
