import { isFedsvdError } from '@fedsvd/core/errors'
import type { Task } from '@fedsvd/core/lora'
import { LengthCounts, type LengthSummary } from './encoding/lengths.ts'
import { Fingerprinter } from './fingerprint/fingerprinter.ts'
import type { Spelling } from './fingerprint/former-spellings.ts'
import { BadText } from './readers/bad-text.ts'
import { taskOfColumns } from './readers/columns.ts'
import type { DataPart, DataPaths } from './readers/data-files.ts'
import { type LeftOut, LeftOutCount } from './readers/left-out.ts'
import { dataEmpty, distinctParts, partRows } from './readers/read-records.ts'
import { type ReadOptions, type Row, rowReader } from './readers/row.ts'
import { valueText } from './readers/value-text.ts'
import type { SiteRecord } from './text-record.ts'

/** A label set of more than this is no label set; what lies beyond is not counted by name. */
const MOST_LABELS = 10_000

/** What a site's owner can know of a data set before it is used. All of it is private: it stays at the site. */
export interface DataSummary {
  readonly path: string
  /** Files, or folders of texts, that it consists of. */
  readonly files: number
  readonly task: Task
  /** Rows that were read; each is a record or a problem. */
  readonly rows: number
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
  /** Labels that stand there in more than one spelling, such as `1` and `1.0`. */
  readonly respelled: number
  /** Rows that are no records, the first of them, and why they are none. */
  readonly problems: LeftOut
  /** True when a problem made it impossible to read on, so that the counts are those of a beginning. */
  readonly stopped: boolean
}

/**
 * Reads all of a data set and describes it. A row that is no record is counted and passed over, so that one problem
 * does not hide the next; a fault of the file itself ends the reading.
 *
 * @param folder for the digests of a data set too large for memory
 * @throws FedsvdError CONFIG_INVALID for columns of more than one task
 */
export async function inspectData(paths: DataPaths, options: ReadOptions, folder: string): Promise<DataSummary> {
  const task = taskOfColumns(options, options.task)
  const toRecord = rowReader(options)
  const labels = new Map<string, number>()
  const lengths = new LengthCounts()
  let columns: readonly string[] = []
  const problems = new LeftOutCount()
  const spellings = new LabelSpellings(rowReader({ ...options, labels: undefined, spelling: asWritten }))
  let rows = 0
  let files = 0
  let stopped = false
  const note = (error: unknown): void => {
    if (!isFedsvdError(error)) throw error
    problems.add(error)
  }
  using fingerprinter = new Fingerprinter(folder)
  const badText = new BadText()
  const read = async (part: DataPart): Promise<void> => {
    for await (const found of partRows(part, { ...options, onBadText: badText.note })) {
      const row = badText.held(found)
      if (columns.length === 0) columns = Object.keys(Object(row.value) as object)
      rows += 1
      try {
        const record = toRecord(row)
        fingerprinter.add(record)
        lengths.add(lengthOf(record))
        for (const label of labelsIn(record)) count(labels, label)
        spellings.add(row, record)
      } catch (error) {
        note(error)
      }
    }
  }
  try {
    const parts = await distinctParts(paths, options)
    files = parts.length
    for (const part of parts) {
      try {
        await read(part)
      } catch (error) {
        note(error)
        stopped = true
      }
    }
  } catch (error) {
    note(error)
    stopped = true
  }
  if (fingerprinter.records === 0 && problems.count === 0) note(dataEmpty(paths))
  return {
    path: String(paths),
    files,
    task,
    rows,
    records: fingerprinter.records,
    columns,
    labels: [...labels].map(([label, count]) => ({ label, count })).sort((a, b) => b.count - a.count),
    lengths: lengths.summary(),
    lengthUnit: task === 'token-classification' ? 'words' : 'characters',
    fingerprint: problems.count === 0 ? fingerprinter.finish() : undefined,
    respelled: spellings.respelled,
    problems: { count: problems.count, first: problems.first, reasons: problems.reasons },
    stopped,
  }
}

/** A label as its file has it. */
const asWritten: Spelling = (value) => (typeof value === 'string' ? value : valueText(value))

/** Counts labels that came together from more than one spelling: where those were two labels, they should not have. */
class LabelSpellings {
  readonly #toRecord: ReturnType<typeof rowReader>
  readonly #written = new Map<string, string>()
  readonly #respelled = new Set<string>()

  constructor(toRecord: ReturnType<typeof rowReader>) {
    this.#toRecord = toRecord
  }

  get respelled(): number {
    return this.#respelled.size
  }

  add(row: Row, record: SiteRecord): void {
    const written = labelsIn(this.#toRecord(row))
    for (const [at, label] of labelsIn(record).entries()) {
      const known = this.#written.get(label)
      if (known === undefined && this.#written.size < MOST_LABELS) this.#written.set(label, written[at]!)
      if (known !== undefined && known !== written[at]) this.#respelled.add(label)
    }
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
