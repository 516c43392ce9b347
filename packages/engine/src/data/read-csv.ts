import { Readable } from 'node:stream'
import { CsvError, type Info, parse } from 'csv-parse'
import { LONGEST_LINE } from './lines.ts'
import { unreadable } from './place.ts'
import type { Row } from './row.ts'
import { checkedUtf8 } from './utf8.ts'

/** Reads RFC 4180 text whose first row names the columns; quoted fields may hold line breaks. */
export async function* csvRows(
  bytes: AsyncIterable<Buffer>,
  file: string,
  delimiter: ',' | '\t',
  required: readonly string[],
): AsyncGenerator<Row> {
  const header = (columns: string[]): string[] => {
    requireHeader(columns, required, file)
    return columns
  }
  const parser = parse({
    bom: true,
    columns: header,
    delimiter,
    info: true,
    max_record_size: LONGEST_LINE,
    skip_empty_lines: true,
  })
  const rows = Readable.from(checkedUtf8(bytes, file))
    .on('error', (error) => parser.destroy(error))
    .pipe(parser)
  try {
    for await (const { record, info } of rows as AsyncIterable<{ record: unknown; info: Info }>) {
      yield { value: record, place: { file, line: info.lines } }
    }
  } catch (error) {
    // The parser's own message can quote the row, so only its code is passed on.
    if (!(error instanceof CsvError)) throw error
    const line = Number(error.lines ?? 1)
    if (error.code === 'CSV_MAX_RECORD_SIZE') {
      throw unreadable({ file, line }, `a row of at most ${LONGEST_LINE} bytes`, 'a longer one')
    }
    throw unreadable({ file, line }, 'well-formed CSV', error.code)
  }
}

/** A column that stands there twice would be read once, and nobody could say which. */
function requireHeader(columns: readonly string[], required: readonly string[], file: string): void {
  const place = { file, line: 1 }
  const twice = columns.find((column, index) => columns.indexOf(column) !== index)
  if (twice !== undefined) throw unreadable(place, 'columns of different names', `"${twice}" twice`)
  const missing = required.filter((column) => !columns.includes(column))
  if (missing.length === 0) return
  throw unreadable(
    place,
    `the columns "${required.join('" and "')}"`,
    `no "${missing.join('", "')}" among "${columns.join('", "')}"`,
  )
}
