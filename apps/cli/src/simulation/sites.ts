import { FedsvdError } from '@fedsvd/core/errors'
import type { RunRequest } from '@fedsvd/core/protocol'
import { recordsInMemory, unitsIn } from '@fedsvd/engine/datasets'
import type { SimulatedRecord } from './data-set.ts'
import { type Partition, partitionRecords } from './partition.ts'
import type { SitePart } from './run-cell.ts'

/** How many records a site declares: a number for all of them, or each by its own count. */
export type Declaring = 'own' | number

export interface SitesQuestion {
  readonly partition: Partition
  /** How many sites; absent: one for each value of the column. */
  readonly clients?: number | undefined
  readonly declared: Declaring
  readonly seed: string
  readonly request: Pick<RunRequest, 'unit' | 'expectedLotSize'>
}

/**
 * The sites that the training records come to.
 *
 * @throws FedsvdError CONFIG_INVALID for a partition that the records do not have, or records that name no person in a
 *   run whose unit is one
 */
export function sitesOf(records: readonly SimulatedRecord[], question: SitesQuestion): readonly SitePart[] {
  const { partition, clients, declared, seed, request } = question
  return partitionRecords(records, { partition, sites: clients, seed }).map(({ name, positions }) => {
    const own = positions.map((position) => records[position]!)
    const groups = request.unit && personsOf(own, request.unit.maxRecords)
    const source = recordsInMemory(
      own.map(({ encoded }) => encoded),
      groups,
    )
    const count = declared === 'own' ? declaredFor(unitsIn(source), request.expectedLotSize) : declared
    return { name, records: source, declaredRecords: count }
  })
}

/**
 * What a site declares that chooses a round number near its own by hand, and no less than one lot: its count to two
 * digits. A site with fewer records than a lot then draws them all in each step.
 */
export function declaredFor(count: number, expectedLotSize: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, count))) - 1)
  return Math.max(1, expectedLotSize, Math.round(count / unit) * unit)
}

/** Positions of each person's records, the first so many. */
function personsOf(records: readonly SimulatedRecord[], most: number): readonly (readonly number[])[] {
  const found = new Map<string, number[]>()
  for (const [position, { unit }] of records.entries()) {
    if (unit === undefined) {
      throw new FedsvdError('CONFIG_INVALID', {
        expected: 'a column that names the person of each record, as the unit of the run is a person',
        got: 'a record without one',
        remedy: 'Name the column with --unit-column, or leave out `unit` in the configuration.',
      })
    }
    const known = found.get(unit) ?? []
    if (known.length < most) known.push(position)
    found.set(unit, known)
  }
  return [...found.values()]
}
