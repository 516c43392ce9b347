import { createHmac } from 'node:crypto'
import type { RecordSource } from './record-source.ts'
import { openRecordStore } from './record-store/open-store.ts'
import { RecordStoreWriter } from './record-store/write-store.ts'
import type { SiteRecord } from './text-record.ts'

/** Places are whole numbers below this. */
const PLACES = 2 ** 32
/** Places in one entry of a store. */
const ENTRY = 4096

/**
 * The place of a record's unit among all that there could be, in 32 bits: a keyed hash of the person that it belongs
 * to, or of what it says. A function of the unit and the key alone. Records that differ in case, white space and
 * punctuation only have the same place: copies are trained on, or set aside, together.
 *
 * @param byPerson where persons are the units
 */
export function placeOf(record: SiteRecord, key: string, byPerson: boolean): number {
  const content = byPerson ? `person ${record.unit}` : `record ${normalised(textOf(record))}`
  return createHmac('sha256', key).update(content, 'utf8').digest().readUInt32BE(0)
}

function textOf(record: SiteRecord): string {
  if (record.task === 'token-classification') return record.words.join(' ')
  if (record.task === 'instruction-tuning') return `${record.prompt} ${record.answer}`
  return 'pair' in record && record.pair !== undefined ? `${record.text} ${record.pair}` : record.text
}

function normalised(text: string): string {
  return (
    text
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '') || text
  )
}

/** Keeps the places of the records of a store, in their order. */
export class PlacesWriter {
  readonly #places: number[] = []

  add(place: number): void {
    this.#places.push(place)
  }

  /** Writes them to a store of their own. */
  write(path: string, key: string): void {
    using writer = new RecordStoreWriter(path, key)
    for (let at = 0; at < this.#places.length; at += ENTRY) {
      writer.add({ tokenIds: Int32Array.from(this.#places.slice(at, at + ENTRY)), label: 0 })
    }
    writer.finish()
  }
}

/** The places that a {@link PlacesWriter} wrote; undefined when there are none, or of another key, or not whole. */
export function readPlaces(path: string, key: string): Uint32Array | undefined {
  using store = openRecordStore(path, key)
  if (store === undefined) return undefined
  const entries = Array.from({ length: store.size }, (_, at) => store.read(at).tokenIds)
  const places = new Uint32Array(entries.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const entry of entries) {
    places.set(
      Uint32Array.from(entry, (signed) => signed >>> 0),
      at,
    )
    at += entry.length
  }
  return places
}

/** A data set in two parts that share no unit. */
export interface SplitRecords {
  readonly training: RecordSource
  readonly setAside: RecordSource
}

/**
 * Sets the units aside whose place is below `share`. Which part a unit is in follows from the unit alone.
 *
 * @param places of the records, by position
 */
export function splitByPlace(records: RecordSource, places: Uint32Array, share: number): SplitRecords {
  const { units } = records
  const count = units?.size ?? records.size
  const isSetAside = (unit: number): boolean => {
    const first = units === undefined ? unit : units.recordsOf(unit)[0]!
    return places[first]! < share * PLACES
  }
  const all = Array.from({ length: count }, (_, unit) => unit)
  const partOf = (wanted: boolean): RecordSource => {
    const members = Uint32Array.from(all.filter((unit) => isSetAside(unit) === wanted))
    if (units !== undefined) {
      return {
        ...viewOf(records),
        units: { size: members.length, recordsOf: (unit) => units.recordsOf(members[unit]!) },
      }
    }
    return {
      size: members.length,
      lengthsOf: (positions) => records.lengthsOf(positions.map((position) => members[position]!)),
      read: (position) => records.read(members[position]!),
    }
  }
  return { training: partOf(false), setAside: partOf(true) }
}

function viewOf({ size, lengthsOf, read }: RecordSource): RecordSource {
  return { size, lengthsOf, read }
}
