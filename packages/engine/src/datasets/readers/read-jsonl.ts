import { repeatedKey } from '../../files/index.ts'
import { exactNumbers } from './exact-numbers.ts'
import { utf8Lines } from './lines.ts'
import { faultyRow, type Row } from './row.ts'

/**
 * Reads one JSON object a line from UTF-8 bytes; blank lines are passed over. Whole numbers keep all of their digits.
 */
export async function* jsonlRows(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Row> {
  for await (const { text, line, fault } of utf8Lines(bytes, file)) {
    if (fault !== undefined) {
      yield { value: undefined, place: { file, line }, fault }
      continue
    }
    if (text.trim() === '') continue
    const place = { file, line }
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      // The parser's own message quotes the line, so it is not passed on.
      yield faultyRow(place, 'one JSON object', 'text that is not JSON')
      continue
    }
    const repeated = repeatedKey(text)
    if (repeated !== undefined) {
      yield faultyRow(place, 'every member of the object once', `${JSON.stringify(repeated)} twice`)
      continue
    }
    yield { value: exactNumbers(text, value), place }
  }
}
