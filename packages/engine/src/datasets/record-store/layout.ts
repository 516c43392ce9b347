/*
 * A store is one file:
 *
 *   records    one behind the other, see codec.ts
 *   index      for each record: offset (8 bytes) and number of tokens (4 bytes), little-endian, and once more at the
 *              end of the last record with 0 tokens
 *   footer     JSON: what the store is of, the names of the fields, SHA-256 of all bytes before it and
 *              of the rest of the footer
 *   tail       length of the footer (4 bytes), the eight bytes "fedsvdR1"
 *
 * A lot reads two entries of the index and one record for each of its members; nothing else is held in memory.
 */

export const INDEX_ENTRY = 12
export const TAIL = 12
export const MAGIC = Buffer.from('fedsvdR1', 'latin1')

/** What the end of a store says about the rest. */
export interface Footer {
  /** Whatever decides the content: data set, tokenizer, length, labels. Another key is another store. */
  readonly key: string
  readonly records: number
  /** Bytes of the records; the index begins there. */
  readonly recordBytes: number
  readonly fields: readonly string[]
  readonly sha256: string
}

/** The footer as it is hashed behind the records and the index. */
export function hashedPart({ key, records, recordBytes, fields }: Omit<Footer, 'sha256'>): string {
  return JSON.stringify([key, records, recordBytes, fields])
}
