import { createHash, randomUUID } from 'node:crypto'
import { open, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { makeFolder } from '@fedsvd/engine/files'
import type { BlobRef } from '../records/index.ts'
import { blobTooLarge, onDisk } from './faults.ts'
import { type OpenFile, Room, SpoolFile } from './spool-file.ts'

/** A folder in which bytes arrive before they have a name. */
export interface Spool {
  /**
   * Hashes a stream as it arrives. It stays in memory as long as there is room for it; what finds none is written to a
   * file of its own meanwhile.
   *
   * @throws FedsvdError FRAME_TOO_LARGE, STORAGE_UNAVAILABLE, or what the stream throws; the file is gone then
   */
  take(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Arrived>
}

/** Bytes without a name, in memory or in a file; disposing them removes the file, unless it was handed over. */
export interface Arrived extends BlobRef, AsyncDisposable {
  /** Where the bytes are once they are flushed. */
  readonly file: string
  read(): Promise<Uint8Array>
  /** The bytes from their beginning, for sending. */
  content(): AsyncIterable<Uint8Array>
  /** Writes the bytes to the file, as far as they are not there yet, and flushes it to the disk. */
  sync(): Promise<void>
  /** Gives the file away: from now on the spool neither writes nor removes it. */
  handOver(): Promise<void>
}

/**
 * What arrives and waits to be kept takes no more memory than this, and 256 KiB more for each sender who found it
 * taken.
 */
const MOST_IN_MEMORY = 64 * 1024 * 1024

/** No request takes so long. */
const ABANDONED_AFTER_MS = 3_600_000

/**
 * Opens a spool. Files that a crashed process left half-written have no name, so nothing refers to them, and are
 * removed; other coordinators may be writing to the same folder, so files that were touched lately are left.
 */
export async function openSpool(folder: string, openFile: OpenFile = open): Promise<Spool> {
  makeFolder(folder)
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name)
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY })) // it is gone by now
    if (mtimeMs < Date.now() - ABANDONED_AFTER_MS) await rm(file, { force: true })
  }
  const room = new Room(MOST_IN_MEMORY)
  return {
    take: (stream, maxBytes) =>
      onDisk(async () => {
        const hash = createHash('sha256')
        const file = new SpoolFile(path.join(folder, randomUUID()), openFile, room)
        let bytes = 0
        try {
          for await (const chunk of stream) {
            if (bytes + chunk.length > maxBytes) throw blobTooLarge(maxBytes, bytes + chunk.length)
            bytes += chunk.length
            hash.update(chunk)
            await file.append(chunk)
          }
          if (file.isOpen) await file.flush()
        } catch (error) {
          await file.discard()
          throw error
        }
        return arrived(file, { sha256: hash.digest('hex'), bytes })
      }),
  }
}

function arrived(file: SpoolFile, ref: BlobRef): Arrived {
  let isMine = true
  return {
    ...ref,
    file: file.path,
    read: () => onDisk(() => file.read(ref.bytes)),
    content: () => file.content(),
    sync: () => onDisk(() => file.sync()),
    async handOver() {
      isMine = false
      await file.close()
    },
    async [Symbol.asyncDispose]() {
      if (isMine) await file.discard()
      isMine = false
    },
  }
}
