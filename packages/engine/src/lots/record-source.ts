import type { EncodedRecord } from '../data/encoded-record.ts'

/** The encoded records of a data set, wherever they lie; a lot takes only its own out of it. */
export interface RecordSource {
  /** How many records there are. */
  readonly size: number
  /** Numbers of tokens of the records at `positions`, which ascend. */
  lengthsOf(positions: Uint32Array): Uint32Array
  /** One record. @throws RangeError for a position outside */
  read(position: number): EncodedRecord
}

/** Records that are in memory already. */
export function recordsInMemory(records: readonly EncodedRecord[]): RecordSource {
  const at = (position: number): EncodedRecord => {
    const record = records[position]
    if (record === undefined) throw new RangeError(`expected a record from 0 to ${records.length - 1}, got ${position}`)
    return record
  }
  return {
    size: records.length,
    lengthsOf: (positions) => positions.map((position) => at(position).tokenIds.length),
    read: at,
  }
}
