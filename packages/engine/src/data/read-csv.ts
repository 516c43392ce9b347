import { Readable } from 'node:stream'
import { CsvError, type Info, parse } from 'csv-parse'
import { LONGEST_LINE } from './lines.ts'
import { type ReadOptions, rowReader, unreadable } from './row.ts'
import type { TextRecord } from './text-record.ts'

/** Reads RFC 4180 text whose first row names the columns; quoted fields may hold line breaks. */
export async function* readCsv(
  bytes: AsyncIterable<Buffer>,
  file: string,
  delimiter: ',' | '\t',
  options: ReadOptions,
): AsyncGenerator<TextRecord> {
  const toRecord = rowReader(options)
  const { textColumn = 'text', labelColumn = 'label' } = options
  const requireColumns = (header: string[]): string[] => {
    const missing = [textColumn, labelColumn].filter((column) => !header.includes(column))
    if (missing.length > 0) {
      throw unreadable(
        { file, line: 1 },
        `the columns "${textColumn}" and "${labelColumn}"`,
        `no "${missing.join('", "')}"`,
      )
    }
    return header
  }
  const parser = parse({
    bom: true,
    columns: requireColumns,
    delimiter,
    info: true,
    max_record_size: LONGEST_LINE,
    skip_empty_lines: true,
  })
  const rows = Readable.from(bytes)
    .on('error', (error) => parser.destroy(error))
    .pipe(parser)
  try {
    for await (const { record, info } of rows as AsyncIterable<{ record: unknown; info: Info }>) {
      yield toRecord(record, { file, line: info.lines })
    }
  } catch (error) {
    // The parser's own message can quote the row, so only its code is passed on.
    if (!(error instanceof CsvError)) throw error
    throw unreadable({ file, line: Number(error.lines ?? 1) }, 'well-formed CSV', error.code)
  }
}
