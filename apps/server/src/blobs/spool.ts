import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { BlobRef } from '../store/index.ts'
import { blobTooLarge, onDisk } from './faults.ts'

/** The part of `node:fs/promises` that makes files; handed in, so that a test can take the room away. */
export type OpenFile = typeof open

/** A folder in which bytes arrive before they have a name. */
export interface Spool {
  /**
   * Writes a stream to a file of its own while it is hashed.
   *
   * @throws FedsvdError FRAME_TOO_LARGE, STORAGE_UNAVAILABLE, or what the stream throws; the file is gone then
   */
  take(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Arrived>
}

/** A file without a name; disposing it removes it, unless it was handed over. */
export interface Arrived extends BlobRef, AsyncDisposable {
  readonly file: string
  read(): Promise<Uint8Array>
  /** Flushes the bytes to the disk. */
  sync(): Promise<void>
  /** Somebody else has the file now. */
  handOver(): Promise<void>
}

/** Chunks of the network are small, and each write costs a turn of the thread pool. */
const WRITTEN_TOGETHER = 256 * 1024

/** No request takes so long. */
const ABANDONED_AFTER_MS = 3_600_000

/**
 * Opens a spool. What a process left half-written when it died has no name, so nobody refers to it, and is removed; other
 * coordinators may be writing to the same folder, and what was touched lately may be theirs.
 */
export async function openSpool(folder: string, openFile: OpenFile = open): Promise<Spool> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name)
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY })) // it is gone by now
    if (mtimeMs < Date.now() - ABANDONED_AFTER_MS) await rm(file, { force: true })
  }
  return {
    take: (stream, maxBytes) =>
      onDisk(async () => {
        const file = path.join(folder, randomUUID())
        const handle = await openFile(file, 'wx+', 0o600)
        const hash = createHash('sha256')
        let bytes = 0
        let [written, waiting] = [0, [] as Uint8Array[]]
        const flush = async (): Promise<void> => {
          await writeAll(handle, waiting, written)
          ;[written, waiting] = [bytes, []]
        }
        try {
          for await (const chunk of stream) {
            if (bytes + chunk.length > maxBytes) throw blobTooLarge(maxBytes, bytes + chunk.length)
            bytes += chunk.length
            hash.update(chunk)
            waiting.push(chunk)
            if (bytes - written >= WRITTEN_TOGETHER) await flush()
          }
          await flush()
        } catch (error) {
          await discard(handle, file)
          throw error
        }
        return arrived(handle, file, { sha256: hash.digest('hex'), bytes })
      }),
  }
}

function arrived(handle: FileHandle, file: string, ref: BlobRef): Arrived {
  let isMine = true
  return {
    ...ref,
    file,
    read: () => onDisk(() => readWhole(handle, ref.bytes)),
    sync: () => onDisk(() => handle.sync()),
    async handOver() {
      isMine = false
      await handle.close()
    },
    async [Symbol.asyncDispose]() {
      if (isMine) await discard(handle, file)
      isMine = false
    },
  }
}

/** Writes the chunks one after the other, from a place in the file on. */
async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[], from: number): Promise<void> {
  let rest = chunks.filter(({ length }) => length > 0)
  for (let position = from; rest.length > 0; ) {
    const { bytesWritten } = await handle.writev(rest, position)
    position += bytesWritten
    rest = behind(rest, bytesWritten)
  }
}

/** What is left of the chunks behind so many bytes. */
function behind(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  return chunks.flatMap((chunk) => {
    const left = chunk.subarray(Math.min(skip, chunk.length))
    skip -= chunk.length - left.length
    return left.length > 0 ? [left] : []
  })
}

async function readWhole(handle: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  for (let offset = 0; offset < length; ) {
    const { bytesRead } = await handle.read(bytes, offset, length - offset, offset)
    if (bytesRead === 0) throw new Error(`a file of ${length} bytes ended after ${offset}`)
    offset += bytesRead
  }
  return bytes
}

async function discard(handle: FileHandle, file: string): Promise<void> {
  try {
    await handle.close()
  } finally {
    await rm(file, { force: true })
  }
}
