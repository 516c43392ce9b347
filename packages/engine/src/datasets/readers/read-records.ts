import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { requireNoCopies } from '../repeated-files.ts'
import type { SiteRecord, TextRecord } from '../text-record.ts'
import { BadText } from './bad-text.ts'
import { readColumns, tableColumns, taskOfColumns } from './columns.ts'
import type { CsvDialect } from './csv-dialect.ts'
import { type DataPart, type DataPaths, dataFormat, dataParts, isCompressed, notReadable } from './data-files.ts'
import { foreignTable } from './foreign-data.ts'
import { unreadable } from './place.ts'
import { CSV, csvRows, TSV } from './read-csv.ts'
import { folderRows } from './read-folder.ts'
import { jsonlRows } from './read-jsonl.ts'
import { parquetRows } from './read-parquet.ts'
import { type ReadOptions, type Row, rowReader } from './row.ts'
import { decoderFor, textBytes } from './text-bytes.ts'

/**
 * Streams the records of a data set in the order of its rows, in bounded memory: a `.jsonl`, `.ndjson`, `.csv` or
 * `.tsv` file, also compressed with gzip (`.gz` behind the name), a `.parquet` file, several of these, or a folder of
 * texts.
 *
 * @throws FedsvdError DATA_UNREADABLE, naming file and line or row, for the first row that is not a record, and for a
 *   file that cannot be opened or is of another kind; LABEL_UNKNOWN for a label outside `options.labels`;
 *   CONFIG_INVALID for columns that belong to no one task.
 */
export async function* readSiteRecords(paths: DataPaths, options: ReadOptions = {}): AsyncGenerator<SiteRecord> {
  const toRecord = rowReader(options)
  for await (const row of readRows(paths, options)) yield toRecord(row)
}

/**
 * {@link readSiteRecords} for a reader that nothing in a row may stop: rows that are no records are passed over, each
 * with one call of `leftOut`. A file that breaks off in the middle ends there.
 *
 * @throws FedsvdError DATA_UNREADABLE for a file that cannot be opened, is of another kind, or lacks a column;
 *   CONFIG_INVALID
 */
export async function* readableRecords(
  paths: DataPaths,
  options: ReadOptions,
  leftOut: (fault: FedsvdError) => void,
): AsyncGenerator<SiteRecord> {
  const toRecord = rowReader(options)
  const badText = new BadText()
  for await (const row of readableRows(paths, { ...options, onBadText: badText.note }, leftOut)) {
    let record: SiteRecord
    try {
      record = toRecord(badText.held(row))
    } catch (error) {
      if (!isFedsvdError(error)) throw error
      leftOut(error)
      continue
    }
    yield record
  }
}

/**
 * {@link readRows} up to where a file breaks off, and then those of the next file.
 *
 * @throws FedsvdError DATA_UNREADABLE for a file that cannot be opened, is of another kind, or lacks a column;
 *   CONFIG_INVALID
 */
export async function* readableRows(
  paths: DataPaths,
  options: ReadOptions,
  interruptedAttempt: (fault: FedsvdError) => void,
): AsyncGenerator<Row> {
  for (const part of await distinctParts(paths, options)) {
    let begun = false
    try {
      for await (const row of partRows(part, options)) {
        begun = true
        yield row
      }
    } catch (error) {
      if (!begun || !isFedsvdError(error)) throw error
      interruptedAttempt(error)
    }
  }
}

/** {@link readSiteRecords} for sequence classification. */
export function readRecords(paths: DataPaths, options: ReadOptions = {}): AsyncGenerator<TextRecord> {
  const classification: ReadOptions = { ...options, task: 'sequence-classification' }
  return readSiteRecords(paths, classification) as AsyncGenerator<TextRecord>
}

/**
 * All records of a data set for sequence classification at once.
 *
 * @throws FedsvdError as {@link readSiteRecords}, and DATA_EMPTY for a file without records.
 */
export async function loadRecords(paths: DataPaths, options: ReadOptions = {}): Promise<TextRecord[]> {
  const records: TextRecord[] = []
  for await (const record of readRecords(paths, options)) records.push(record)
  if (records.length > 0) return records
  throw dataEmpty(paths)
}

/** The refusal of a data set without records. */
export function dataEmpty(paths: DataPaths): FedsvdError {
  return new FedsvdError('DATA_EMPTY', {
    expected: `at least one record in ${String(paths)}`,
    got: '0 records',
    remedy: 'Name a file with one record in every row.',
  })
}

/** The rows of a data set as they stand there, whatever they hold. @throws FedsvdError DATA_UNREADABLE */
export async function* readRows(paths: DataPaths, options: ReadOptions = {}): AsyncGenerator<Row> {
  for (const part of await distinctParts(paths, options)) yield* partRows(part, options)
}

/** The parts of a data set, none of which is a copy of another. @throws FedsvdError DATA_UNREADABLE */
export async function distinctParts(paths: DataPaths, options: ReadOptions): Promise<readonly DataPart[]> {
  const parts = dataParts(paths)
  const hasRows = async (part: DataPart): Promise<boolean> => {
    for await (const _row of partRows(part, options)) return true
    return false
  }
  await requireNoCopies(parts, hasRows)
  return parts
}

/** The rows of one file or of one folder of texts. @throws FedsvdError DATA_UNREADABLE */
export async function* partRows({ path, isFolder }: DataPart, options: ReadOptions): AsyncGenerator<Row> {
  try {
    yield* isFolder ? folderRows(path, taskOfColumns(options, options.task), options) : fileRows(path, options)
  } catch (error) {
    // Of a folder, what cannot be read may be one of its files, such as a link to nothing.
    throw isFromFiles(error) ? notReadable(error.path ?? path, error) : error
  }
}

function fileRows(file: string, options: ReadOptions): AsyncGenerator<Row> {
  const task = taskOfColumns(options, options.task)
  const required = tableColumns(options, task)
  if (options.encoding !== undefined) decoderFor(options.encoding) // refused before the file is opened
  const bytes = (): AsyncIterable<Buffer> => {
    const stored = isCompressed(file) ? unzipped(file) : createReadStream(file)
    return textBytes(ofTable(stored, file), file, options.encoding, options.onBadText)
  }
  const table = (usual: CsvDialect): AsyncGenerator<Row> => {
    const dialect = dialectOf(usual, options)
    return csvRows(bytes(), file, dialect, required)
  }
  switch (dataFormat(file)) {
    case '.jsonl':
      return jsonlRows(bytes(), file)
    case '.csv':
      return table(CSV)
    case '.tsv':
      return table(TSV)
    case '.parquet':
      return parquetRows(file, required, readColumns(options, task))
  }
  throw new FedsvdError('DATA_UNREADABLE', {
    expected: 'a data file ending in .jsonl, .ndjson, .csv, .tsv (or one of these and .gz) or .parquet, or a folder',
    got: file,
    remedy: 'Convert the file: a workbook saved as CSV in UTF-8, a list in JSON as one object a line (.jsonl).',
  })
}

/** The dialect of a file's ending with what the options say. @throws FedsvdError CONFIG_INVALID */
function dialectOf(
  usual: CsvDialect,
  { delimiter = usual.delimiter, quoting = usual.quoting }: ReadOptions,
): CsvDialect {
  if (delimiter.length === 1 && !/["\r\n]/.test(delimiter)) return { delimiter, quoting }
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'one character as the delimiter, no quote and no line end',
    got: JSON.stringify(delimiter),
    remedy: "Pass one such as --delimiter ';'.",
  })
}

/** @throws FedsvdError DATA_UNREADABLE for a web page or another file that is no table, whatever its name */
async function* ofTable(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of bytes) {
    const found = isFirst ? foreignTable(chunk) : undefined
    if (found !== undefined) throw unreadable({ file }, 'a text file', found.got, undefined, found.remedy)
    isFirst &&= chunk.length === 0
    yield chunk
  }
}

function unzipped(file: string): AsyncIterable<Buffer> {
  const gunzip = createGunzip()
  return createReadStream(file)
    .on('error', (error) => gunzip.destroy(error))
    .pipe(gunzip)
}

/** An error of the file system, or of gzip. */
function isFromFiles(error: unknown): error is NodeJS.ErrnoException {
  const { syscall, code } = error as NodeJS.ErrnoException
  return !(error instanceof FedsvdError) && (syscall !== undefined || (code?.startsWith('Z_') ?? false))
}
