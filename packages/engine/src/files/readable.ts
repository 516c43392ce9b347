import { access, readFile, stat } from 'node:fs/promises'
import { FedsvdError, isFedsvdError, systemFault } from '@fedsvd/core/errors'

/** Codes of the system for what is not there. */
const ABSENT: readonly unknown[] = ['ENOENT', 'ENOTDIR']

const isAbsent = (error: unknown): boolean => ABSENT.includes((error as NodeJS.ErrnoException).code)

/**
 * The refusal of a file of a checkpoint that the system does not let this process read.
 *
 * @param remedy what to do where nothing is there; for anything else the system's own fault says it
 */
export function unreadableFile(path: string, cause: unknown, remedy: string): FedsvdError {
  if (isFedsvdError(cause)) return cause
  const { got = String(cause), remedy: usual = remedy } = systemFault(cause)?.detail ?? {}
  return new FedsvdError(
    'CHECKPOINT_INVALID',
    { expected: `a readable file ${path}`, got, remedy: isAbsent(cause) ? remedy : usual },
    { cause },
  )
}

/**
 * Opening a pipe waits for somebody who writes to it.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a pipe, a socket or a device, and the system's error where it has one
 */
export async function requireOrdinary(path: string): Promise<void> {
  const found = await stat(path)
  if (found.isFile() || found.isDirectory()) return // reading a folder fails by itself
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `a readable file ${path}`,
    got: 'a pipe, a socket or a device',
    remedy: 'Put the file itself there.',
  })
}

async function bytesOf(path: string): Promise<Buffer> {
  await requireOrdinary(path)
  return await readFile(path)
}

/** A file's bytes. @throws FedsvdError CHECKPOINT_INVALID with the remedy where it cannot be read */
export async function readBytes(path: string, remedy: string): Promise<Buffer> {
  return await bytesOf(path).catch((cause: unknown) => {
    throw unreadableFile(path, cause, remedy)
  })
}

/**
 * A file's bytes, or undefined where there is none; one that may not be read is not taken for one that is not there.
 */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  return await bytesOf(path).catch((cause: unknown) => {
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
