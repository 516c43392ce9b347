import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { FedsvdError } from '@fedsvd/core/errors'
import type { EncodedRecord } from '../encoding/encoded-record.ts'
import type { RecordSource } from '../record-source.ts'
import { decodeRecord } from './codec.ts'
import { type Footer, hashedPart, INDEX_ENTRY, MAGIC, TAIL } from './layout.ts'

/** Entries of the index that are read together where positions ascend. */
const INDEX_BLOCK = 4096
const HASH_BYTES = 1024 * 1024

/** A store that is open for reading. */
export interface RecordStore extends RecordSource, Disposable {}

/**
 * Opens a store that a {@link RecordStoreWriter} has finished. All of it is hashed once, so that a damaged file is
 * found now and not in the middle of a round.
 *
 * @returns undefined when there is none, or one of another key, or one that is not whole: it is to be written anew
 */
export function openRecordStore(path: string, key: string): RecordStore | undefined {
  const fd = openIfThere(path)
  if (fd === undefined) return undefined
  const footer = readFooter(fd)
  if (footer?.key === key && digestOf(fd, footer) === footer.sha256) return reading(fd, footer)
  closeSync(fd)
  return undefined
}

function reading(fd: number, { records, recordBytes, fields }: Footer): RecordStore {
  const pair = Buffer.alloc(2 * INDEX_ENTRY)
  const block = Buffer.alloc(INDEX_BLOCK * INDEX_ENTRY)
  const indexAt = (position: number): number => recordBytes + position * INDEX_ENTRY
  const requireInside = (position: number): void => {
    if (Number.isInteger(position) && position >= 0 && position < records) return
    throw new RangeError(`expected a record from 0 to ${records - 1}, got ${position}`)
  }
  let open = true
  return {
    size: records,
    lengthsOf(positions) {
      let first = Number.POSITIVE_INFINITY
      return positions.map((position) => {
        requireInside(position)
        if (position < first || position >= first + INDEX_BLOCK) {
          first = position
          const wanted = Math.min(INDEX_BLOCK, records - first) * INDEX_ENTRY
          readFully(fd, block.subarray(0, wanted), indexAt(first))
        }
        return block.readUInt32LE((position - first) * INDEX_ENTRY + 8)
      })
    },
    read(position) {
      requireInside(position)
      readFully(fd, pair, indexAt(position))
      const start = Number(pair.readBigUInt64LE(0))
      const bytes = Buffer.allocUnsafe(Number(pair.readBigUInt64LE(INDEX_ENTRY)) - start)
      readFully(fd, bytes, start)
      return decodeRecord(bytes, fields) as unknown as EncodedRecord
    },
    [Symbol.dispose]() {
      if (open) closeSync(fd)
      open = false
    },
  }
}

function readFooter(fd: number): Footer | undefined {
  const { size } = fstatSync(fd)
  const tail = Buffer.alloc(TAIL)
  if (size < TAIL) return undefined
  readFully(fd, tail, size - TAIL)
  const length = tail.readUInt32LE(0)
  if (!tail.subarray(4).equals(MAGIC) || length > size - TAIL) return undefined
  const text = Buffer.alloc(length)
  readFully(fd, text, size - TAIL - length)
  try {
    const footer = JSON.parse(text.toString('utf8')) as Footer
    const whole = footer.recordBytes + (footer.records + 1) * INDEX_ENTRY + length + TAIL
    return whole === size ? footer : undefined
  } catch {
    return undefined
  }
}

function digestOf(fd: number, footer: Footer): string {
  const hash = createHash('sha256')
  const end = footer.recordBytes + (footer.records + 1) * INDEX_ENTRY
  const buffer = Buffer.allocUnsafe(HASH_BYTES)
  for (let from = 0; from < end; ) {
    const read = readSync(fd, buffer, 0, Math.min(buffer.length, end - from), from)
    hash.update(buffer.subarray(0, read))
    from += read
  }
  return hash.update(hashedPart(footer)).digest('hex')
}

function readFully(fd: number, into: Buffer, from: number): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(fd, into, done, into.length - done, from + done)
    if (read === 0) throw shortened()
    done += read
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function shortened(): FedsvdError {
  return new FedsvdError('DATA_CHANGED', {
    expected: 'the encoded records as they were when the run began',
    got: 'a file that has become shorter',
    remedy: 'Start the client again; it encodes the records anew.',
  })
}
