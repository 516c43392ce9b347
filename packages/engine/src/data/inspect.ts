import type { Task } from '@fedsvd/core/adapters'
import { type FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { taskOfColumns } from './columns.ts'
import { Fingerprinter } from './fingerprinter.ts'
import { LengthCounts, type LengthSummary } from './lengths.ts'
import { dataEmpty, readRows } from './read-records.ts'
import { type ReadOptions, rowReader } from './row.ts'
import type { SiteRecord } from './text-record.ts'

/** A label set of more than this is no label set; what lies beyond is not counted by name. */
const MOST_LABELS = 10_000

/** What a site's owner can know of a data set before it is used. All of it is private: it stays at the site. */
export interface DataSummary {
  readonly path: string
  readonly task: Task
  /** Records that can be read. */
  readonly records: number
  /** Names of the columns of the first row. */
  readonly columns: readonly string[]
  /** Labels, or tags, by how often they occur, the most frequent first; empty for a task without. */
  readonly labels: readonly { readonly label: string; readonly count: number }[]
  readonly lengths: LengthSummary | undefined
  readonly lengthUnit: 'characters' | 'words'
  /** The name that the ledger would have; undefined while there is a problem. */
  readonly fingerprint: string | undefined
  /** Rows that are no records, and the first of them. */
  readonly problems: { readonly count: number; readonly first: FedsvdError | undefined }
  /** True when a problem made it impossible to read on, so that the counts are those of a beginning. */
  readonly stopped: boolean
}

/**
 * Reads all of a data set and describes it. A row that is no record is counted and passed over, so that one problem does not
 * hide the next; a fault of the file itself ends the reading.
 *
 * @param folder for the digests of a data set too large for memory
 * @throws FedsvdError CONFIG_INVALID for columns of more than one task
 */
export async function inspectData(path: string, options: ReadOptions, folder: string): Promise<DataSummary> {
  const task = taskOfColumns(options, options.task)
  const toRecord = rowReader(options)
  const labels = new Map<string, number>()
  const lengths = new LengthCounts()
  let columns: readonly string[] = []
  let problems = 0
  let first: FedsvdError | undefined
  let stopped = false
  const note = (error: unknown): void => {
    if (!isFedsvdError(error)) throw error
    problems += 1
    first ??= error
  }
  using fingerprinter = new Fingerprinter(folder)
  try {
    for await (const row of readRows(path, options)) {
      if (columns.length === 0) columns = Object.keys(Object(row.value) as object)
      try {
        const record = toRecord(row)
        fingerprinter.add(record)
        lengths.add(lengthOf(record))
        for (const label of labelsIn(record)) count(labels, label)
      } catch (error) {
        note(error)
      }
    }
  } catch (error) {
    note(error)
    stopped = true
  }
  if (fingerprinter.records === 0 && problems === 0) note(dataEmpty(path))
  return {
    path,
    task,
    records: fingerprinter.records,
    columns,
    labels: [...labels].map(([label, count]) => ({ label, count })).sort((a, b) => b.count - a.count),
    lengths: lengths.summary(),
    lengthUnit: task === 'token-classification' ? 'words' : 'characters',
    fingerprint: problems === 0 ? fingerprinter.finish() : undefined,
    problems: { count: problems, first },
    stopped,
  }
}

function lengthOf(record: SiteRecord): number {
  if ('words' in record) return record.words.length
  if ('prompt' in record) return record.prompt.length + record.answer.length
  return record.text.length + ('pair' in record ? (record.pair?.length ?? 0) : 0)
}

function labelsIn(record: SiteRecord): readonly string[] {
  if ('tags' in record) return record.tags
  return 'label' in record ? [record.label] : []
}

function count(labels: Map<string, number>, label: string): void {
  const known = labels.get(label)
  if (known !== undefined || labels.size < MOST_LABELS) labels.set(label, (known ?? 0) + 1)
}
