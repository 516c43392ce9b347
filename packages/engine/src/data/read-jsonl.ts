import { utf8Lines } from './lines.ts'
import { type ReadOptions, rowReader, unreadable } from './row.ts'
import type { TextRecord } from './text-record.ts'

/** Reads one JSON object a line; blank lines are skipped. */
export async function* readJsonl(
  bytes: AsyncIterable<Buffer>,
  file: string,
  options: ReadOptions,
): AsyncGenerator<TextRecord> {
  const toRecord = rowReader(options)
  for await (const { text, ...place } of utf8Lines(bytes, file)) {
    if (text.trim() === '') continue
    let row: unknown
    try {
      row = JSON.parse(text)
    } catch {
      // The parser's own message quotes the line, so it is not passed on.
      throw unreadable(place, 'one JSON object', 'text that is not JSON')
    }
    yield toRecord(row, place)
  }
}
