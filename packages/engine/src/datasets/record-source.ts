import type { EncodedRecord } from './encoding/encoded-record.ts'

/** The encoded records of a data set, wherever they lie; a lot takes only its own out of it. */
export interface RecordSource {
  /** How many records there are. */
  readonly size: number
  /** Numbers of tokens of the records at `positions`, which ascend. */
  lengthsOf(positions: Uint32Array): Uint32Array
  /** One record. @throws RangeError for a position outside */
  read(position: number): EncodedRecord
  /** Which records belong to one unit (person); absent where each record is its own unit. */
  readonly units?: Units | undefined
}

/** The units of privacy of a data set, where they are more than single records. */
export interface Units {
  /** How many there are: lots are drawn of these. */
  readonly size: number
  /** Positions of a unit's records, ascending: at least one, and at most as many as the run allows. */
  recordsOf(unit: number): Uint32Array
}

/** Lots are drawn of so many. */
export function unitsIn({ size, units }: RecordSource): number {
  return units?.size ?? size
}

/**
 * Records that are in memory already; `groups[u]` are the positions of unit u's records where persons are the units.
 */
export function recordsInMemory(
  records: readonly EncodedRecord[],
  groups?: readonly (readonly number[])[],
): RecordSource {
  const at = (position: number): EncodedRecord => {
    const record = records[position]
    if (record === undefined) throw new RangeError(`expected a record from 0 to ${records.length - 1}, got ${position}`)
    return record
  }
  return {
    size: records.length,
    lengthsOf: (positions) => positions.map((position) => at(position).tokenIds.length),
    read: at,
    ...(groups && { units: { size: groups.length, recordsOf: (unit) => Uint32Array.from(groups[unit]!) } }),
  }
}
