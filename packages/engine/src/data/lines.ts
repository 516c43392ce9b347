import type { Place } from './row.ts'
import { unreadable } from './row.ts'

/** No honest record is longer; a file without line ends must not be gathered in memory. */
export const LONGEST_LINE = 16 * 1024 * 1024

const NEWLINE = 0x0a

/**
 * Yields the lines of a UTF-8 byte stream with their numbers, cut at LF only (a CR before it goes too). `node:readline`
 * would also cut at U+2028 and U+2029, which may stand unescaped inside a JSON string.
 *
 * @throws FedsvdError DATA_UNREADABLE for a line that is not UTF-8 or longer than {@link LONGEST_LINE} bytes.
 */
export async function* utf8Lines(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Place & { text: string }> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let line = 0
  let pending: Buffer[] = []
  let pendingLength = 0
  const take = (last: Buffer): Place & { text: string } => {
    line++
    try {
      const text = decoder.decode(Buffer.concat([...pending, last]))
      return { file, line, text: text.endsWith('\r') ? text.slice(0, -1) : text }
    } catch (cause) {
      throw unreadable({ file, line }, 'UTF-8 text', 'other bytes', cause)
    } finally {
      pending = []
      pendingLength = 0
    }
  }
  for await (const chunk of bytes) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield take(chunk.subarray(start, end))
      start = end + 1
    }
    pending.push(chunk.subarray(start))
    pendingLength += chunk.length - start
    if (pendingLength > LONGEST_LINE) {
      throw unreadable({ file, line: line + 1 }, `a line of at most ${LONGEST_LINE} bytes`, 'a longer one')
    }
  }
  if (pendingLength > 0) yield take(Buffer.alloc(0))
}
