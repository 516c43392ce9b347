import { join } from 'node:path'
import type { SiteUnit } from '@fedsvd/core/accounting'
import type { Task } from '@fedsvd/core/lora'
import {
  type DataPaths,
  dataParts,
  Fingerprinter,
  FORMER_SPELLINGS,
  type LeftOut,
  LeftOutCount,
  type ReadOptions,
  readableRecords,
  type SiteRecord,
  taskOfColumns,
} from '@fedsvd/engine/datasets'
import { filesState } from './files-state.ts'
import { RecordSnapshot } from './record-snapshot.ts'

/** The data set of this site, as it was when the client started; its records are read one at a time. */
export interface SiteData extends Disposable {
  readonly path: string
  /** Files, or folders of texts, that they were read from. */
  readonly files: number
  /** How many there are: private, like everything about them. */
  readonly records: number
  /** Whose presence this site's budget hides: persons where a unit column is named, else records. */
  readonly unit: SiteUnit
  /** The column that names the person of a record. */
  readonly unitColumn?: string | undefined
  /** Records that are left out because they name no person; always 0 where records are the unit. Private as well. */
  readonly withoutUnit: number
  /** Rows of the files that are no records. */
  readonly leftOut: LeftOut
  /** The name under which the ledger keeps the budget of these records. */
  readonly fingerprint: string
  /** What the columns that were named make of a row: what the site declares, not what the rows hold. */
  readonly task: Task
  /** Streams the records again. */
  read(): AsyncIterable<SiteRecord>
  /** True when the files were touched since; the records stay those of the start. */
  hasChanged(): boolean
}

/**
 * Reads the site's records once, in bounded memory, to count, to name and to keep them. Rows that are no records are
 * left out: nothing in the data decides whether a client starts.
 *
 * @param stateDir for the copy of the records, and the digests of a data set too large for memory
 * @param known by which names the ledgers of this site know data sets: one that they know by the fingerprint of an
 *   earlier spelling of labels keeps that name
 * @throws FedsvdError DATA_UNREADABLE for a file that cannot be opened, is of another kind or lacks a column;
 *   CONFIG_INVALID
 */
export async function loadSiteData(
  paths: DataPaths,
  columns: ReadOptions,
  stateDir: string,
  known: () => ReadonlySet<string> = () => new Set(),
): Promise<SiteData> {
  const before = filesState(paths)
  const files = dataParts(paths).length
  const folder = join(stateDir, 'encoded')
  const leftOut = new LeftOutCount()
  const unit: SiteUnit = columns.unitColumn === undefined ? 'record' : 'person'
  let withoutUnit = 0
  let fingerprint: string
  using fingerprinter = new Fingerprinter(folder)
  const snapshot = new RecordSnapshot(folder)
  const isTaken = (record: SiteRecord): boolean => unit === 'record' || record.unit !== undefined
  try {
    for await (const record of readableRecords(paths, columns, (fault) => leftOut.add(fault))) {
      if (!isTaken(record)) {
        withoutUnit += 1
        continue
      }
      fingerprinter.add(record)
      snapshot.add(record)
    }
    fingerprint = await knownName(fingerprinter.finish(), known(), (spelling) =>
      fingerprintOf(
        readableRecords(paths, { ...columns, spelling }, () => {}),
        isTaken,
        folder,
      ),
    )
  } catch (error) {
    snapshot[Symbol.dispose]()
    throw error
  }
  return {
    path: [paths].flat().join(', '),
    files,
    records: fingerprinter.records,
    unit,
    unitColumn: columns.unitColumn,
    withoutUnit,
    leftOut,
    fingerprint,
    task: taskOfColumns(columns, columns.task),
    read: () => snapshot.records(),
    hasChanged: () => stateNow(paths) !== before,
    [Symbol.dispose]: () => snapshot[Symbol.dispose](),
  }
}

/** The fingerprint itself, unless the ledgers know the data set by that of an earlier spelling only. */
async function knownName(
  fingerprint: string,
  known: ReadonlySet<string>,
  earlier: (spelling: (typeof FORMER_SPELLINGS)[number]) => Promise<string>,
): Promise<string> {
  if (known.size === 0 || known.has(fingerprint)) return fingerprint
  for (const spelling of FORMER_SPELLINGS) {
    const name = await earlier(spelling)
    if (known.has(name)) return name
  }
  return fingerprint
}

async function fingerprintOf(
  records: AsyncIterable<SiteRecord>,
  isTaken: (record: SiteRecord) => boolean,
  folder: string,
): Promise<string> {
  using fingerprinter = new Fingerprinter(folder)
  for await (const record of records) if (isTaken(record)) fingerprinter.add(record)
  return fingerprinter.finish()
}

/** Undefined for files that cannot be looked at any more. */
function stateNow(paths: DataPaths): string | undefined {
  try {
    return filesState(paths)
  } catch {
    return undefined
  }
}
