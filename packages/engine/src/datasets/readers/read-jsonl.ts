import type { FedsvdError } from '@fedsvd/core/errors'
import { repeatedKey } from '../../files/index.ts'
import { exactNumbers } from './exact-numbers.ts'
import { utf8Lines } from './lines.ts'
import { type Place, unreadable } from './place.ts'
import { faultyRow, type Row } from './row.ts'

/** How a file begins that is one JSON text over many lines: a list of objects, or an object, that goes on below. */
const OPENING = /^\s*(\[\s*(\{.*)?|\{\s*)$/s

/**
 * The fault of a first line that begins one JSON text of the whole file; undefined for any other line. It is that of a
 * row and not of the file: whether a site starts must not depend on what stands in a row.
 */
function notInLines(first: string, place: Place): FedsvdError | undefined {
  if (!OPENING.test(first)) return undefined
  const isList = first.trimStart().startsWith('[')
  return unreadable(
    place,
    'one JSON object on each line',
    isList ? 'a list of objects, as one JSON text' : 'an object over several lines',
    undefined,
    `Write each object on a line of its own: jq -c ${isList ? "'.[]'" : '.'} data.json > data.jsonl.`,
  )
}

/**
 * Reads one JSON object a line from UTF-8 bytes; blank lines are passed over. Whole numbers keep all of their digits.
 */
export async function* jsonlRows(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Row> {
  let isFirst = true
  for await (const { text, line, fault } of utf8Lines(bytes, file)) {
    if (fault !== undefined) {
      yield { value: undefined, place: { file, line }, fault }
      continue
    }
    if (text.trim() === '') continue
    const place = { file, line }
    const opening = isFirst ? notInLines(text, place) : undefined
    isFirst = false
    if (opening !== undefined) {
      yield { value: undefined, place, fault: opening }
      continue
    }
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
