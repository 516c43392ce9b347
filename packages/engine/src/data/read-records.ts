import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { createGunzip } from 'node:zlib'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { readColumns, tableColumns, taskOfColumns } from './columns.ts'
import { unreadable } from './place.ts'
import { CSV, type CsvDialect, csvRows, TSV } from './read-csv.ts'
import { folderRows } from './read-folder.ts'
import { jsonlRows } from './read-jsonl.ts'
import { parquetRows } from './read-parquet.ts'
import { type ReadOptions, type Row, rowReader } from './row.ts'
import { BAD_TEXT, decoderFor, textBytes } from './text-bytes.ts'
import type { SiteRecord, TextRecord } from './text-record.ts'

/**
 * Streams the records of a data set in the order of its rows, in bounded memory: a `.jsonl`, `.ndjson`, `.csv` or `.tsv`
 * file, also compressed with gzip (`.gz` behind the name), a `.parquet` file, or a folder of texts.
 *
 * @throws FedsvdError DATA_UNREADABLE, naming file and line or row, for the first row that is not a record, and for a file
 *   that cannot be opened or is of another kind; LABEL_UNKNOWN for a label outside `options.labels`; CONFIG_INVALID for
 *   columns that belong to no one task.
 */
export async function* readSiteRecords(path: string, options: ReadOptions = {}): AsyncGenerator<SiteRecord> {
  const toRecord = rowReader(options)
  for await (const row of readRows(path, options)) yield toRecord(row)
}

/**
 * {@link readSiteRecords} for a reader that nothing in a row may stop: rows that are no records are passed over, each with one
 * call of `leftOut`. A file that breaks off in the middle ends there.
 *
 * @throws FedsvdError DATA_UNREADABLE for a file that cannot be opened, is of another kind, or lacks a column; CONFIG_INVALID
 */
export async function* readableRecords(
  path: string,
  options: ReadOptions,
  leftOut: (fault: FedsvdError) => void,
): AsyncGenerator<SiteRecord> {
  const toRecord = rowReader(options)
  const badText: FedsvdError[] = []
  let isAllText = true
  const onBadText = (fault: FedsvdError): void => {
    isAllText = false
    badText.push(fault)
  }
  let begun = false
  try {
    for await (const row of readRows(path, { ...options, onBadText })) {
      begun = true
      let record: SiteRecord
      try {
        const marks = isAllText ? 0 : badTextIn(row.value)
        const [fault] = badText.splice(0, marks)
        record = toRecord(marks === 0 ? row : { ...row, fault: fault ?? unreadable(row.place, 'text', 'other bytes') })
      } catch (error) {
        if (!isFedsvdError(error)) throw error
        leftOut(error)
        continue
      }
      yield record
    }
  } catch (error) {
    if (!begun || !isFedsvdError(error)) throw error
    leftOut(error)
  }
}

/** How many bytes of a row were no text. */
function badTextIn(value: unknown): number {
  if (typeof value === 'string') return value.match(BAD_TEXT)?.length ?? 0
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce<number>((sum, part) => sum + badTextIn(part), 0)
}

/** {@link readSiteRecords} for sequence classification. */
export function readRecords(path: string, options: ReadOptions = {}): AsyncGenerator<TextRecord> {
  const classification: ReadOptions = { ...options, task: 'sequence-classification' }
  return readSiteRecords(path, classification) as AsyncGenerator<TextRecord>
}

/**
 * All records of a data set for sequence classification at once.
 *
 * @throws FedsvdError as {@link readSiteRecords}, and DATA_EMPTY for a file without records.
 */
export async function loadRecords(path: string, options: ReadOptions = {}): Promise<TextRecord[]> {
  const records: TextRecord[] = []
  for await (const record of readRecords(path, options)) records.push(record)
  if (records.length > 0) return records
  throw dataEmpty(path)
}

/** The refusal of a data set without records. */
export function dataEmpty(path: string): FedsvdError {
  return new FedsvdError('DATA_EMPTY', {
    expected: `at least one record in ${path}`,
    got: 'none',
    remedy: 'Name a file with one record in every row.',
  })
}

/** The rows of a data set as they stand there, whatever they hold. @throws FedsvdError DATA_UNREADABLE */
export async function* readRows(path: string, options: ReadOptions = {}): AsyncGenerator<Row> {
  try {
    const isFolder = (await stat(path)).isDirectory()
    yield* isFolder ? folderRows(path, taskOfColumns(options, options.task), options) : fileRows(path, options)
  } catch (error) {
    throw isFromFiles(error) ? notReadable(path, error) : error
  }
}

function fileRows(file: string, options: ReadOptions): AsyncGenerator<Row> {
  const task = taskOfColumns(options, options.task)
  const required = tableColumns(options, task)
  const compressed = extname(file).toLowerCase() === '.gz'
  if (options.encoding !== undefined) decoderFor(options.encoding) // refused before the file is opened
  const bytes = (): AsyncIterable<Buffer> => {
    return textBytes(compressed ? unzipped(file) : createReadStream(file), file, options.encoding, options.onBadText)
  }
  const table = (usual: CsvDialect): AsyncGenerator<Row> => {
    const dialect = dialectOf(usual, options)
    return csvRows(bytes(), file, dialect, required)
  }
  switch (extname(compressed ? file.slice(0, -3) : file).toLowerCase()) {
    case '.jsonl':
    case '.ndjson':
      return jsonlRows(bytes(), file)
    case '.csv':
      return table(CSV)
    case '.tsv':
      return table(TSV)
    case '.parquet':
      if (!compressed) return parquetRows(file, required, readColumns(options, task))
  }
  throw new FedsvdError('DATA_UNREADABLE', {
    expected: 'a data file ending in .jsonl, .ndjson, .csv, .tsv (or one of these and .gz) or .parquet, or a folder',
    got: file,
    remedy: 'Rename or convert the file.',
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

function notReadable(path: string, error: NodeJS.ErrnoException): FedsvdError {
  return new FedsvdError(
    'DATA_UNREADABLE',
    { expected: `a readable file ${path}`, got: String(error.code), remedy: 'Check the path and its permissions.' },
    { cause: error },
  )
}
