import { join } from 'node:path'
import type { SiteUnit } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { dataEmpty, Fingerprinter, type ReadOptions, readSiteRecords, type SiteRecord } from '@fedsvd/engine/data'
import { filesState } from './files-state.ts'

/** The data set of this site. Its records stay in their file, and are read from it one at a time. */
export interface SiteData {
  readonly path: string
  /** How many there are: private, like everything about them. */
  readonly records: number
  /** Whose presence this site's budget hides: persons where a unit column is named, else records. */
  readonly unit: SiteUnit
  /** The column that names the person of a record. */
  readonly unitColumn?: string | undefined
  /** Records that are left out because they name no person; always 0 where records are the unit. Private as well. */
  readonly withoutUnit: number
  /** The name under which the ledger keeps the budget of these records. */
  readonly fingerprint: string
  /** Streams the records again, those that are left out excepted; any label outside `labels` is refused with its place. */
  read(labels?: readonly string[]): AsyncIterable<SiteRecord>
  /**
   * What was agreed on these records holds for no others, so nothing is trained once their files were touched.
   *
   * @throws FedsvdError DATA_CHANGED
   */
  requireUnchanged(): void
}

/**
 * Reads the site's records once, in bounded memory, to count and to name them.
 *
 * @param stateDir for the digests of a data set too large for memory
 * @throws FedsvdError DATA_UNREADABLE with file and line, DATA_EMPTY, DATA_CHANGED when they change meanwhile
 */
export async function loadSiteData(path: string, columns: ReadOptions, stateDir: string): Promise<SiteData> {
  const before = filesState(path)
  using fingerprinter = new Fingerprinter(join(stateDir, 'encoded'))
  const unit: SiteUnit = columns.unitColumn === undefined ? 'record' : 'person'
  const isInUse = (record: SiteRecord): boolean => unit === 'record' || record.unit !== undefined
  let withoutUnit = 0
  for await (const record of readSiteRecords(path, columns)) {
    if (isInUse(record)) fingerprinter.add(record)
    else withoutUnit += 1
  }
  if (fingerprinter.records === 0) throw dataEmpty(path)
  const requireUnchanged = (): void => {
    if (filesState(path) !== before) throw dataChanged(path)
  }
  requireUnchanged()
  return {
    path,
    records: fingerprinter.records,
    unit,
    unitColumn: columns.unitColumn,
    withoutUnit,
    fingerprint: fingerprinter.finish(),
    async *read(labels) {
      for await (const record of readSiteRecords(path, { ...columns, labels })) if (isInUse(record)) yield record
    },
    requireUnchanged,
  }
}

/** The refusal of data that are not those of the ledger any more. */
export function dataChanged(path: string): FedsvdError {
  return new FedsvdError('DATA_CHANGED', {
    expected: `${path} as it was when this client started`,
    got: 'a file that was changed since',
    remedy: 'Start the client again: other records are another data set, with a ledger of their own.',
  })
}

/**
 * The number of records that the site declares when it is not told one: rounded down to two significant digits, so that
 * adding or removing one record almost never shows.
 */
export function roundedDown(records: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(records)) - 1)
  return Math.floor(records / unit) * unit
}
