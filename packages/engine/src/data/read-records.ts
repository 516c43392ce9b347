import { createReadStream } from 'node:fs'
import { extname } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { readCsv } from './read-csv.ts'
import { readJsonl } from './read-jsonl.ts'
import type { ReadOptions } from './row.ts'
import type { TextRecord } from './text-record.ts'

/**
 * Streams the records of a `.jsonl`, `.ndjson`, `.csv` or `.tsv` file in the order of its rows, in bounded memory.
 *
 * @throws FedsvdError DATA_UNREADABLE, naming file and line, for the first row that is not a record, and for a file that
 *   cannot be opened or is of another kind; LABEL_UNKNOWN for a label outside `options.labels`.
 */
export async function* readRecords(file: string, options: ReadOptions = {}): AsyncGenerator<TextRecord> {
  const read = readerFor(file)
  try {
    yield* read(createReadStream(file), file, options)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (error instanceof FedsvdError || (error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new FedsvdError(
      'DATA_UNREADABLE',
      { expected: `a readable file ${file}`, got: String(code), remedy: 'Check the path and its permissions.' },
      { cause: error },
    )
  }
}

/**
 * All records of a file at once.
 *
 * @throws FedsvdError as {@link readRecords}, and DATA_EMPTY for a file without records.
 */
export async function loadRecords(file: string, options: ReadOptions = {}): Promise<TextRecord[]> {
  const records: TextRecord[] = []
  for await (const record of readRecords(file, options)) records.push(record)
  if (records.length > 0) return records
  throw new FedsvdError('DATA_EMPTY', {
    expected: `at least one record in ${file}`,
    got: 'none',
    remedy: 'Name a file with one record in every row.',
  })
}

type Reader = (bytes: AsyncIterable<Buffer>, file: string, options: ReadOptions) => AsyncGenerator<TextRecord>

function readerFor(file: string): Reader {
  switch (extname(file).toLowerCase()) {
    case '.jsonl':
    case '.ndjson':
      return readJsonl
    case '.csv':
      return (bytes, name, options) => readCsv(bytes, name, ',', options)
    case '.tsv':
      return (bytes, name, options) => readCsv(bytes, name, '\t', options)
    default:
      throw new FedsvdError('DATA_UNREADABLE', {
        expected: 'a data file ending in .jsonl, .ndjson, .csv or .tsv',
        got: file,
        remedy: 'Rename or convert the file.',
      })
  }
}
