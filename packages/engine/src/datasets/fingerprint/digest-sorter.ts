import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../../files/index.ts'

/** Bytes of a SHA-256 digest. */
const DIGEST = 32

/** 4 MiB of digests are sorted at a time; with the views on them, about 20 MiB. */
const DIGESTS_IN_MEMORY = 2 ** 17

/** All that the reading ends of a merge may hold together. */
const MERGE_BYTES = 2 ** 24
const LEAST_READ = 128 * DIGEST

/** Files of this process so far: two sorters at work in one folder have one each. */
let files = 0

/**
 * Sorts any number of digests in bounded memory: full blocks are sorted and written, one behind the other, into one
 * file, and merged at the end (an external merge sort). What fits into one block never touches the disk.
 *
 * Memory: 20 MiB while adding; while merging, 16 MiB or 4 KiB a block, whichever is more: 10 million digests are 77
 * blocks (305 MiB on disk), a thousand million 7,630 (30 MiB of memory).
 *
 * The file is removed as soon as it is open, so that nothing is left of it however the process ends.
 */
export class DigestSorter implements Disposable {
  readonly #folder: string
  readonly #block: Buffer
  #inBlock = 0
  #blocks = 0
  #fd: number | undefined
  #path: string | undefined

  constructor(folder: string, digestsInMemory = DIGESTS_IN_MEMORY) {
    this.#folder = folder
    this.#block = Buffer.allocUnsafe(digestsInMemory * DIGEST)
  }

  add(digest: Buffer): void {
    if (this.#inBlock * DIGEST === this.#block.length) this.#spill()
    digest.copy(this.#block, this.#inBlock * DIGEST)
    this.#inBlock += 1
  }

  /** All digests in ascending order, to be read once. A piece has one or more of them and is good until the next. */
  *sorted(): Generator<Uint8Array> {
    const last = this.#sortBlock()
    if (this.#fd === undefined) {
      yield last
      return
    }
    yield* merged([...this.#written(this.#fd), new Cursor(() => 0, last)])
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    if (this.#path !== undefined) rmSync(this.#path, { force: true })
    this.#fd = undefined
    this.#path = undefined
  }

  #spill(): void {
    this.#fd ??= this.#openFile()
    const sorted = this.#sortBlock()
    let written = 0
    const start = this.#blocks * this.#block.length
    while (written < sorted.length)
      written += writeSync(this.#fd, sorted, written, sorted.length - written, start + written)
    this.#blocks += 1
    this.#inBlock = 0
  }

  #sortBlock(): Buffer {
    const digests = Array.from({ length: this.#inBlock }, (_, n) => this.#block.subarray(n * DIGEST, (n + 1) * DIGEST))
    return Buffer.concat(digests.sort(Buffer.compare))
  }

  #openFile(): number {
    makeFolder(this.#folder)
    const path = join(this.#folder, `digests.${process.pid}.${files++}.tmp`)
    const fd = openSync(path, 'w+', 0o600)
    try {
      rmSync(path)
    } catch {
      this.#path = path // a system that cannot remove an open file: it goes when this is disposed of
    }
    return fd
  }

  #written(fd: number): Cursor[] {
    const share = Math.floor(MERGE_BYTES / this.#blocks / DIGEST) * DIGEST
    const size = Math.min(this.#block.length, Math.max(LEAST_READ, share))
    return Array.from({ length: this.#blocks }, (_, block) => {
      let from = block * this.#block.length
      const end = from + this.#block.length
      return new Cursor(
        (buffer) => {
          const read = from === end ? 0 : readSync(fd, buffer, 0, Math.min(buffer.length, end - from), from)
          const whole = read - (read % DIGEST)
          from += whole
          return whole
        },
        Buffer.allocUnsafe(size),
        0,
      )
    })
  }
}

/** Walks over sorted digests, a buffer at a time. */
class Cursor {
  readonly #refill: (buffer: Buffer) => number
  readonly #buffer: Buffer
  #length: number
  #at = 0

  constructor(refill: (buffer: Buffer) => number, buffer: Buffer, length = buffer.length) {
    this.#refill = refill
    this.#buffer = buffer
    this.#length = length
    this.#fill()
  }

  /** The digest that it stands at; undefined at the end. */
  get head(): Buffer | undefined {
    return this.#length === 0 ? undefined : this.#buffer.subarray(this.#at, this.#at + DIGEST)
  }

  advance(): void {
    this.#at += DIGEST
    this.#fill()
  }

  #fill(): void {
    if (this.#at < this.#length) return
    this.#at = 0
    this.#length = this.#refill(this.#buffer)
  }
}

/** Merges sorted runs by a binary heap of their heads. */
function* merged(cursors: readonly Cursor[]): Generator<Uint8Array> {
  const heap = cursors.filter(({ head }) => head !== undefined)
  const less = (a: number, b: number): boolean => Buffer.compare(heap[a]!.head!, heap[b]!.head!) < 0
  const sink = (from: number): void => {
    for (let parent = from; ; ) {
      const left = 2 * parent + 1
      if (left >= heap.length) return
      const child = left + 1 < heap.length && less(left + 1, left) ? left + 1 : left
      if (!less(child, parent)) return
      ;[heap[parent], heap[child]] = [heap[child]!, heap[parent]!]
      parent = child
    }
  }
  for (let parent = (heap.length >> 1) - 1; parent >= 0; parent--) sink(parent)
  while (heap.length > 0) {
    yield heap[0]!.head!
    heap[0]!.advance()
    if (heap[0]!.head === undefined) {
      const last = heap.pop()!
      if (heap.length > 0) heap[0] = last
      else return
    }
    sink(0)
  }
}
