import { Readable } from 'node:stream'
import type { FedsvdError } from '@fedsvd/core/errors'
import { CsvError, type InfoRecord, parse } from 'csv-parse'
import type { CsvDialect } from './csv-dialect.ts'
import { LineIndex } from './line-index.ts'
import { LONGEST_LINE } from './lines.ts'
import { type Place, unreadable, withoutColumns } from './place.ts'
import type { Row } from './row.ts'

/** What a dialect is by the ending of the file. Files of tab-separated values are written without quoting. */
export const CSV: CsvDialect = { delimiter: ',', quoting: 'double' }
export const TSV: CsvDialect = { delimiter: '\t', quoting: 'none' }

/**
 * Reads the rows of a table whose first row names the columns, from UTF-8 bytes. Line ends may be LF, CR LF, CR, or a
 * mix of them; blank lines are passed over. The place of a row is its first line.
 *
 * A row that has other fields than the first one, or is not well formed, comes with a fault in place of its value.
 *
 * @throws FedsvdError DATA_UNREADABLE for a first row without the columns
 */
export async function* csvRows(
  bytes: AsyncIterable<Buffer>,
  file: string,
  { delimiter, quoting }: CsvDialect,
  required: readonly string[],
): AsyncGenerator<Row> {
  const lines = new LineIndex()
  const skipped: Row[] = []
  let end = 0 // of the rows so far, in bytes
  const parser = parse({
    columns: (columns: string[]): string[] => {
      requireHeader(columns, required, { file, line: lines.lineOf(0) }, delimiter)
      end = parser.info.bytes
      return columns
    },
    delimiter,
    quote: quoting === 'double' ? '"' : false,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: LONGEST_LINE,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      const line = lines.lineOf(end)
      end = Math.max(end, Number(error?.bytes ?? 0))
      skipped.push({ value: undefined, place: { file, line }, fault: malformed(error, { file, line }) })
    },
    on_record: (value: unknown, { bytes: until }: InfoRecord): Row => {
      const line = lines.lineOf(end)
      end = until
      return { value, place: { file, line } }
    },
  })
  const rows = Readable.from(watched(bytes, lines))
    .on('error', (error) => parser.destroy(error))
    .pipe(parser)
  try {
    for await (const row of rows as AsyncIterable<Row>) {
      yield* skipped.splice(0)
      yield row
    }
    yield* skipped.splice(0)
  } catch (error) {
    throw error instanceof CsvError ? malformed(error, { file, line: lines.lineOf(end) }) : error
  }
}

/** The parser's own message can quote the row, so only its code is passed on. */
function malformed(error: CsvError | undefined, place: Place): FedsvdError {
  const code = error?.code ?? 'a fault'
  const { expected, got } = FAULTS[code] ?? { expected: 'well-formed CSV', got: code }
  return unreadable(place, expected, got, undefined, remedyFor(code))
}

/** What is wrong with a row, by the parser's code for it. */
const FAULTS: Readonly<Record<string, { readonly expected: string; readonly got: string }>> = {
  CSV_MAX_RECORD_SIZE: { expected: `a row of at most ${LONGEST_LINE} bytes`, got: 'a longer row' },
  CSV_RECORD_INCONSISTENT_COLUMNS: {
    expected: 'well-formed CSV, as many fields as the first row has,',
    got: 'a row with more or fewer fields',
  },
  CSV_QUOTE_NOT_CLOSED: { expected: 'well-formed CSV', got: 'a quote that is never closed' },
  INVALID_OPENING_QUOTE: { expected: 'well-formed CSV', got: 'a quote in the middle of a field' },
  CSV_INVALID_CLOSING_QUOTE: { expected: 'well-formed CSV', got: 'text behind the closing quote of a field' },
}

const QUOTES = new Set(['CSV_QUOTE_NOT_CLOSED', 'INVALID_OPENING_QUOTE', 'CSV_INVALID_CLOSING_QUOTE'])

function remedyFor(code: string): string | undefined {
  return QUOTES.has(code)
    ? 'Correct that row, or pass --quoting none where quotes are characters of the text.'
    : undefined
}

async function* watched(bytes: AsyncIterable<Buffer>, lines: LineIndex): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    lines.add(chunk)
    yield chunk
  }
}

/** A column that stands there twice would be read once, and no one could say which. */
function requireHeader(
  columns: readonly string[],
  required: readonly string[],
  place: { readonly file: string; readonly line: number },
  delimiter: string,
): void {
  requireNoSeparatorLine(columns, place, delimiter)
  const twice = columns.find((column, index) => columns.indexOf(column) !== index)
  if (twice !== undefined) throw unreadable(place, 'columns of different names', `"${twice}" twice`)
  const missing = required.filter((column) => !columns.includes(column))
  if (missing.length === 0) return
  throw withoutColumns(place, required, columns, otherDelimiter(columns, delimiter))
}

/**
 * Excel reads `sep=;` in the first line as a setting; every other reader would take it for the names of the columns.
 */
function requireNoSeparatorLine(columns: readonly string[], place: Place, delimiter: string): void {
  const [, separator] = /^sep=(.)$/i.exec(columns.join(delimiter)) ?? []
  if (separator === undefined) return
  const option = separator === delimiter ? '' : `, and pass --delimiter '${separator}'`
  const remedy = `Remove that line${option}.`
  throw unreadable(place, 'the names of the columns', `the line "sep=${separator}" of Excel`, undefined, remedy)
}

/** What seems to stand between the fields of a header that is a single field. */
function otherDelimiter([only, ...others]: readonly string[], delimiter: string): string | undefined {
  if (only === undefined || others.length > 0) return undefined
  const found = DELIMITERS.find((other) => other !== delimiter && only.includes(other))
  if (found === undefined) return undefined
  const shown = found === '\t' ? "$'\\t'" : `'${found}'`
  return `Say what stands between the fields, such as --delimiter ${shown}, or name the right columns.`
}

const DELIMITERS = [';', '\t', '|', ',']
