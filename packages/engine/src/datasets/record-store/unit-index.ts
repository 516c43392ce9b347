import { createHash } from 'node:crypto'
import { DigestSorter } from '../fingerprint/digest-sorter.ts'
import type { Units } from '../record-source.ts'
import { openRecordStore } from './open-store.ts'
import { RecordStoreWriter } from './write-store.ts'

/** Bytes of a unit's digest in an entry of 32; the position of its record follows. */
const UNIT_BYTES = 24
const ENTRY = 32

/**
 * Groups the records of a store by the unit (person) that each belongs to, in memory that does not depend on their
 * number.
 *
 * An entry is 24 bytes of SHA-256 of the unit's name and the record's position, so that sorting entries groups the
 * records of a unit and keeps them in the order of the file. The names themselves are not stored.
 */
export class UnitGrouper implements Disposable {
  readonly #sorter: DigestSorter
  #position = 0

  constructor(folder: string, entriesInMemory?: number) {
    this.#sorter = new DigestSorter(folder, entriesInMemory)
  }

  /** The unit of the next record, in the order of the store. */
  add(unit: string): void {
    const entry = Buffer.alloc(ENTRY)
    createHash('sha256').update('fedsvd unit 1').update(unit, 'utf8').digest().copy(entry, 0, 0, UNIT_BYTES)
    entry.writeBigUInt64BE(BigInt(this.#position), UNIT_BYTES)
    this.#sorter.add(entry)
    this.#position += 1
  }

  /**
   * Writes the groups to a store of their own; once. Of a unit with more than `maxRecords` records the first so many
   * are kept, in the order of the file: which ones depends on that unit's own records and on nothing else.
   */
  write(path: string, key: string, maxRecords: number): void {
    using writer = new RecordStoreWriter(path, key)
    let unit = Buffer.alloc(0)
    let positions: number[] = []
    const flush = (): void => {
      if (positions.length > 0) writer.add({ tokenIds: Int32Array.from(positions), label: 0 })
      positions = []
    }
    for (const piece of this.#sorter.sorted()) {
      const entries = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
      for (let at = 0; at < entries.length; at += ENTRY) {
        const name = entries.subarray(at, at + UNIT_BYTES)
        if (!name.equals(unit)) {
          flush()
          unit = Buffer.from(name)
        }
        if (positions.length < maxRecords) positions.push(Number(entries.readBigUInt64BE(at + UNIT_BYTES)))
      }
    }
    flush()
    writer.finish()
  }

  [Symbol.dispose](): void {
    this.#sorter[Symbol.dispose]()
  }
}

/** The groups that a {@link UnitGrouper} wrote; undefined when there are none, or of another key, or not whole. */
export function openUnitIndex(path: string, key: string): (Units & Disposable) | undefined {
  const store = openRecordStore(path, key)
  if (store === undefined) return undefined
  return {
    size: store.size,
    recordsOf: (unit) => Uint32Array.from(store.read(unit).tokenIds),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  }
}
