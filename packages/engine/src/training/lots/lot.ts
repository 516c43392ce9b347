import { type RecordSource, unitsIn } from '../../datasets/index.ts'

/** The lot of one step: positions in `records`, or numbers of its units where it has units; ascending. */
export interface Lot {
  readonly records: RecordSource
  readonly members: Uint32Array
  /** How the gradients of a unit's records become one; `mean` where it is absent. */
  readonly combine?: 'mean' | 'sum' | undefined
}

/** Every record (or unit) of a source, once. */
export function lotOfAll(records: RecordSource): Lot {
  return { records, members: Uint32Array.from({ length: unitsIn(records) }, (_, position) => position) }
}
