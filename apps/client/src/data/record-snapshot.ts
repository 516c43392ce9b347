import { closeSync, openSync, read, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SiteRecord } from '@fedsvd/engine/datasets'
import { makeFolder } from '@fedsvd/engine/files'

const readAt = promisify(read)
const LENGTH_BYTES = 4
const PIECE_BYTES = 64 * 1024

/**
 * The records of a site as they were when its client started, so that nothing that happens to their files afterwards
 * changes what the client does.
 *
 * They lie in one file of the state folder, each as JSON behind its length. The file is removed as soon as it is open:
 * nothing is left of it however the process ends. Memory: one piece of 64 KiB, or one record.
 */
export class RecordSnapshot implements Disposable {
  readonly #fd: number
  #length = 0
  #pending: Buffer[] = []
  #pendingBytes = 0
  #open = true

  /** @throws the error of the file system where there is no place for it */
  constructor(folder: string) {
    makeFolder(folder)
    const path = join(folder, `snapshot.${process.pid}.tmp`)
    this.#fd = openSync(path, 'w+', 0o600)
    rmSync(path)
  }

  add(record: SiteRecord): void {
    const text = Buffer.from(JSON.stringify(record))
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32LE(text.length)
    this.#pending.push(length, text)
    this.#pendingBytes += LENGTH_BYTES + text.length
    if (this.#pendingBytes >= PIECE_BYTES) this.#flush()
  }

  /** The records in their order; any number of readers at a time. */
  async *records(): AsyncGenerator<SiteRecord> {
    this.#flush()
    let held = Buffer.alloc(0)
    for (let at = 0; at < this.#length || held.length > 0; ) {
      const wanted = held.length < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + held.readUInt32LE(0)
      if (held.length < wanted) {
        const piece = Buffer.allocUnsafe(Math.min(this.#length - at, Math.max(PIECE_BYTES, wanted - held.length)))
        const { bytesRead } = await readAt(this.#fd, piece, 0, piece.length, at)
        if (bytesRead === 0) throw new RangeError('expected a whole snapshot, got a part of one')
        at += bytesRead
        held = Buffer.concat([held, piece.subarray(0, bytesRead)])
      } else {
        yield JSON.parse(held.toString('utf8', LENGTH_BYTES, wanted)) as SiteRecord
        held = held.subarray(wanted)
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#fd, bytes, written, bytes.length - written, this.#length + written)
    }
    this.#length += bytes.length
  }
}
