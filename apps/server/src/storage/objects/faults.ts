import { createHash } from 'node:crypto'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { slices } from './slices.ts'

/** Codes of the system that mean: no room, or no disk, just now. */
const UNAVAILABLE = /^(ENOSPC|EDQUOT|EIO|EROFS|EMFILE|ENFILE|ESTALE|EBUSY|ENXIO|ENODEV)$/

/** True for the name of an object: a SHA-256 in lower-case hex, and so never a path. */
export function isName(sha256: string): boolean {
  return /^[0-9a-f]{64}$/.test(sha256)
}

/** @throws FedsvdError BLOB_NOT_FOUND for what is no name */
export function checkName(sha256: string): void {
  if (!isName(sha256)) throw blobNotFound(sha256)
}

/** @throws FedsvdError FRAME_CHECKSUM unless the bytes are those that the name stands for */
export async function checkBytes(sha256: string, bytes: Uint8Array): Promise<Uint8Array> {
  const hash = createHash('sha256')
  for await (const slice of slices(bytes)) hash.update(slice)
  const got = hash.digest('hex')
  if (got === sha256) return bytes
  throw new FedsvdError('FRAME_CHECKSUM', {
    expected: `stored bytes of SHA-256 ${sha256}`,
    got: `others, of SHA-256 ${got}`,
    remedy: 'Restore the store of tensors from its backup.',
  })
}

export function blobNotFound(sha256: string): FedsvdError {
  return new FedsvdError('BLOB_NOT_FOUND', {
    expected: 'the SHA-256 of a stored object, in lower-case hex',
    got: sha256.slice(0, 80),
    remedy: 'Ask for the object that the last invitation named.',
  })
}

export function blobTooLarge(maxBytes: number, got: number): FedsvdError {
  return new FedsvdError('FRAME_TOO_LARGE', {
    expected: `at most ${maxBytes} bytes`,
    got: `${got} bytes or more`,
    remedy: 'Send exactly the tensors of the adapter schema of the run.',
  })
}

export function storageUnavailable(got: string, cause?: unknown): FedsvdError {
  const remedy = 'Make room, or mend it; what waits for it goes on by itself.'
  return new FedsvdError(
    'STORAGE_UNAVAILABLE',
    { expected: 'a store of tensors that takes bytes', got, remedy },
    { cause },
  )
}

/** A fault of the disk as one of the catalogue where waiting may help; anything else unchanged. */
export function storageFault(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown }
  if (error instanceof FedsvdError || typeof code !== 'string' || !UNAVAILABLE.test(code)) return error
  const words = systemFault(error)?.detail.got
  return storageUnavailable(words === undefined ? code : `${words} (${code})`, error)
}

/** Runs something that uses the disk. @throws FedsvdError STORAGE_UNAVAILABLE, or whatever it throws */
export async function onDisk<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw storageFault(error)
  }
}
