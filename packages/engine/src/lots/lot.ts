import type { RecordSource } from './record-source.ts'

/** The lot of one step: positions in `records`, ascending. */
export interface Lot {
  readonly records: RecordSource
  readonly members: Uint32Array
}

/** Every record of a source, once. */
export function lotOfAll(records: RecordSource): Lot {
  return { records, members: Uint32Array.from({ length: records.size }, (_, position) => position) }
}
