import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { BlobStore, PendingBlob } from './blob-store.ts'

/** No request takes so long. */
const ABANDONED_AFTER_MS = 3_600_000

/**
 * Objects as files `<first two hex digits>/<sha256>` below a folder. A file appears under its name only when it is whole:
 * it is written to `incoming/`, flushed, renamed, and its folder is flushed.
 */
export async function openFileBlobs(folder: string): Promise<BlobStore> {
  const incoming = path.join(folder, 'incoming')
  await mkdir(incoming, { recursive: true, mode: 0o700 })
  await removeAbandoned(incoming)

  const fileOf = (sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw notFound(sha256)
    return path.join(folder, sha256.slice(0, 2), sha256)
  }

  async function receive(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<PendingBlob> {
    const temporary = path.join(incoming, randomUUID())
    const file = await open(temporary, 'wx+', 0o600)
    const hash = createHash('sha256')
    let bytes = 0
    try {
      for await (const chunk of stream) {
        bytes += chunk.length
        if (bytes > maxBytes) throw tooLarge(maxBytes, bytes)
        hash.update(chunk)
        await file.appendFile(chunk)
      }
    } catch (error) {
      await discard(file, temporary)
      throw error
    }
    return pending(file, temporary, { sha256: hash.digest('hex'), bytes })
  }

  function pending(
    file: FileHandle,
    temporary: string,
    { sha256, bytes }: { sha256: string; bytes: number },
  ): PendingBlob {
    let settled = false
    return {
      sha256,
      bytes,
      read: () => readWhole(file, bytes),
      async keep() {
        const target = fileOf(sha256)
        await file.sync()
        const created = await mkdir(path.dirname(target), { recursive: true, mode: 0o700 })
        await rename(temporary, target)
        await syncFolder(path.dirname(target))
        if (created !== undefined) await syncFolder(folder)
        settled = true
        await file.close()
      },
      async [Symbol.asyncDispose]() {
        if (!settled) await discard(file, temporary)
      },
    }
  }

  return {
    receive,
    async put(bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      if (await exists(fileOf(sha256))) return { sha256, bytes: bytes.length }
      const blob = await receive(only(bytes), bytes.length)
      await blob.keep()
      return { sha256, bytes: bytes.length }
    },
    read: (sha256) => readFile(fileOf(sha256)).catch(missing(sha256)),
    async open(sha256) {
      const file = fileOf(sha256)
      const { size } = await stat(file).catch(missing(sha256))
      return { bytes: size, stream: createReadStream(file) }
    },
  }
}

/**
 * What a process left half-written when it died has no name, so nobody refers to it. Other coordinators may be writing to the
 * same folder: what was touched lately may be theirs.
 */
async function removeAbandoned(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const file = path.join(incoming, name)
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY })) // it is gone by now
    if (mtimeMs < Date.now() - ABANDONED_AFTER_MS) await rm(file, { force: true })
  }
}

async function readWhole(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  for (let offset = 0; offset < length; ) {
    const { bytesRead } = await file.read(bytes, offset, length - offset, offset)
    if (bytesRead === 0) throw new Error(`a file of ${length} bytes ended after ${offset}`)
    offset += bytesRead
  }
  return bytes
}

async function discard(file: FileHandle, temporary: string): Promise<void> {
  await file.close()
  await rm(temporary, { force: true })
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  )

function missing(sha256: string) {
  return (error: NodeJS.ErrnoException): never => {
    throw error.code === 'ENOENT' ? notFound(sha256) : error
  }
}

function notFound(sha256: string): FedsvdError {
  return new FedsvdError('BLOB_NOT_FOUND', {
    expected: 'the SHA-256 of a stored object, in lower-case hex',
    got: sha256.slice(0, 80),
    remedy: 'Ask for the object that the last invitation named.',
  })
}

function tooLarge(maxBytes: number, got: number): FedsvdError {
  return new FedsvdError('FRAME_TOO_LARGE', {
    expected: `at most ${maxBytes} bytes`,
    got: `${got} bytes or more`,
    remedy: 'Send exactly the tensors of the adapter schema of the run.',
  })
}
