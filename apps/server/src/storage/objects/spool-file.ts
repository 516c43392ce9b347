import { createReadStream } from 'node:fs'
import { type FileHandle, type open, rm } from 'node:fs/promises'

/** The part of `node:fs/promises` that makes files; handed in, so that a test can take the room away. */
export type OpenFile = typeof open

/** Chunks of the network are small, and each write costs a turn of the thread pool. */
const WRITTEN_TOGETHER = 256 * 1024
/** What a chunk takes of memory besides its bytes: a sender decides how small it is. */
const CHUNK_OVERHEAD = 512
/** Larger ones would take the place of many. */
const LARGEST_SHARE = 1 / 4

/** Memory that several share. */
export class Room {
  readonly bytes: number
  #left: number

  constructor(bytes: number) {
    this.bytes = bytes
    this.#left = bytes
  }

  /** False, and nothing taken, when there is not so much left. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#left += bytes
  }
}

/** A file that is made when there is no room for its bytes in memory, or when they are flushed. */
export class SpoolFile {
  readonly path: string
  readonly #openFile: OpenFile
  readonly #room: Room
  #handle: FileHandle | undefined
  #waiting: Uint8Array[] = []
  /** The memory that `#waiting` takes. */
  #cost = 0
  /** What of it was taken from the room. */
  #taken = 0
  #written = 0

  constructor(file: string, openFile: OpenFile, room: Room) {
    this.path = file
    this.#openFile = openFile
    this.#room = room
  }

  get isOpen(): boolean {
    return this.#handle !== undefined
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return
    this.#waiting.push(chunk)
    const cost = chunk.length + CHUNK_OVERHEAD
    this.#cost += cost
    if (this.#fits(cost)) return
    if (this.#cost >= WRITTEN_TOGETHER || !this.isOpen) await this.flush()
  }

  /** Takes room for a chunk, unless the bytes go to the file already. */
  #fits(cost: number): boolean {
    if (this.isOpen || this.#cost > LARGEST_SHARE * this.#room.bytes || !this.#room.take(cost)) return false
    this.#taken += cost
    return true
  }

  async flush(): Promise<void> {
    this.#handle ??= await this.#openFile(this.path, 'wx+', 0o600)
    this.#written = await writeAll(this.#handle, this.#waiting, this.#written)
    this.#forget()
  }

  /** Nothing of it is in memory any more. */
  #forget(): void {
    this.#waiting = []
    this.#cost = 0
    this.#room.giveBack(this.#taken)
    this.#taken = 0
  }

  /** All that was appended: what never went to the file, or the file. */
  async read(bytes: number): Promise<Uint8Array> {
    if (this.#handle !== undefined) return await readWhole(this.#handle, bytes)
    const whole = joined(this.#waiting, bytes)
    this.#waiting = [whole]
    return whole
  }

  async *content(): AsyncIterable<Uint8Array> {
    yield* this.#handle === undefined ? this.#waiting : createReadStream(this.path)
  }

  async sync(): Promise<void> {
    await this.flush()
    await this.#handle!.sync()
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }

  async discard(): Promise<void> {
    this.#forget()
    if (this.#handle === undefined) return
    try {
      await this.close()
    } finally {
      await rm(this.path, { force: true })
    }
  }
}

/** The pieces as one. */
function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes)
  let offset = 0
  for (const piece of pieces) {
    whole.set(piece, offset)
    offset += piece.length
  }
  return whole
}

/**
 * Writes the chunks, none of which is empty, one after the other, from a place in the file on; returns the place behind
 * them.
 */
async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[], from: number): Promise<number> {
  let position = from
  for (let rest = chunks; rest.length > 0; ) {
    const { bytesWritten } = await handle.writev(rest, position)
    position += bytesWritten
    rest = behind(rest, bytesWritten)
  }
  return position
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
