import { utf8Lines } from './lines.ts'
import { unreadable } from './place.ts'
import type { Row } from './row.ts'

/** Reads one JSON object a line; blank lines are skipped. */
export async function* jsonlRows(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Row> {
  for await (const { text, line } of utf8Lines(bytes, file)) {
    if (text.trim() === '') continue
    const place = { file, line }
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      // The parser's own message quotes the line, so it is not passed on.
      throw unreadable(place, 'one JSON object', 'text that is not JSON')
    }
    yield { value, place }
  }
}
