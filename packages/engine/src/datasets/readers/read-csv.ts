import type { FedsvdError } from '@fedsvd/core/errors'
import type { CsvDialect } from './csv-dialect.ts'
import { type CsvFault, csvRecords } from './csv-records.ts'
import { LONGEST_LINE } from './lines.ts'
import { type Place, unreadable, withoutColumns } from './place.ts'
import type { Row } from './row.ts'

/** What a dialect is by the ending of the file. Files of tab-separated values are written without quoting. */
export const CSV: CsvDialect = { delimiter: ',', quoting: 'double' }
export const TSV: CsvDialect = { delimiter: '\t', quoting: 'none' }

/**
 * Reads the rows of a table whose first row names the columns, from UTF-8 bytes in which no chunk ends within a
 * character. Line ends may be LF, CR LF, CR, or a mix of them; blank lines are passed over. The place of a row is its
 * first line.
 *
 * A row that has other fields than the first one, or is not well formed, comes with a fault in place of its value.
 *
 * @throws FedsvdError DATA_UNREADABLE for a first row that is not well formed or lacks a column
 */
export async function* csvRows(
  bytes: AsyncIterable<Buffer>,
  file: string,
  dialect: CsvDialect,
  required: readonly string[],
): AsyncGenerator<Row> {
  let columns: readonly string[] | undefined
  for await (const { line, fields, fault } of csvRecords(bytes, dialect)) {
    const place = { file, line }
    if (columns === undefined) {
      if (fault !== undefined) throw malformed(fault, place)
      requireHeader(fields, required, place, dialect.delimiter)
      columns = fields
      continue
    }
    const found = fault ?? (fields.length === columns.length ? undefined : 'other fields')
    if (found !== undefined) yield { value: undefined, place, fault: malformed(found, place) }
    else yield { value: Object.fromEntries(columns.map((column, index) => [column, fields[index]])), place }
  }
}

function malformed(fault: keyof typeof FAULTS, place: Place): FedsvdError {
  const { expected, got } = FAULTS[fault]
  return unreadable(place, expected, got, undefined, fault.includes('quote') ? QUOTES_REMEDY : undefined)
}

const QUOTES_REMEDY = 'Correct that row, or pass --quoting none where quotes are characters of the text.'

/** What is wrong with a row. */
const FAULTS: Readonly<Record<CsvFault | 'other fields', { readonly expected: string; readonly got: string }>> = {
  'too long': { expected: `a row of at most ${LONGEST_LINE} bytes`, got: 'a longer row' },
  'other fields': {
    expected: 'well-formed CSV, as many fields as the first row has,',
    got: 'a row with more or fewer fields',
  },
  'quote not closed': { expected: 'well-formed CSV', got: 'a quote that is never closed' },
  'quote in a field': { expected: 'well-formed CSV', got: 'a quote in the middle of a field' },
  'text behind a quote': { expected: 'well-formed CSV', got: 'text behind the closing quote of a field' },
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
