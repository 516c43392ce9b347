import { unreadable } from './place.ts'
import { validUtf8Length } from './utf8.ts'

/** No honest record is longer; a file without line ends must not be gathered in memory. */
export const LONGEST_LINE = 16 * 1024 * 1024

const NEWLINE = 0x0a

/** One line, without its end. */
export interface Line {
  readonly file: string
  readonly line: number
  readonly text: string
}

/**
 * Yields the lines of a UTF-8 byte stream with their numbers, cut at LF only (a CR before it goes too). `node:readline`
 * would also cut at U+2028 and U+2029, which may stand unescaped inside a JSON string.
 *
 * @throws FedsvdError DATA_UNREADABLE for a line that is not UTF-8 or longer than {@link LONGEST_LINE} bytes.
 */
export async function* utf8Lines(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let line = 0
  let pending: Buffer[] = []
  let pendingLength = 0
  const requireShort = (length: number, at: number): void => {
    if (length <= LONGEST_LINE) return
    throw unreadable({ file, line: at }, `a line of at most ${LONGEST_LINE} bytes`, 'a longer one')
  }
  const take = (last: Buffer): Line => {
    line++
    const whole = pendingLength > 0 ? Buffer.concat([...pending, last]) : last
    pending = []
    pendingLength = 0
    requireShort(whole.length, line)
    try {
      const text = decoder.decode(whole)
      return { file, line, text: text.endsWith('\r') ? text.slice(0, -1) : text }
    } catch (cause) {
      const got = `other bytes from byte ${validUtf8Length(whole) + 1} of that line on`
      throw unreadable({ file, line }, 'UTF-8 text', got, cause)
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
    requireShort(pendingLength, line + 1)
  }
  if (pendingLength > 0) yield take(Buffer.alloc(0))
}
