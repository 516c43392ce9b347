import type { FedsvdError } from '@fedsvd/core/errors'
import { unreadable } from './place.ts'

/** No honest record is longer; a file without line ends must not be gathered in memory. */
export const LONGEST_LINE = 16 * 1024 * 1024

const LF = 0x0a
const CR = 0x0d

/** One line, without its end. */
export interface Line {
  readonly file: string
  readonly line: number
  readonly text: string
  /** Why it has no text: too many bytes. */
  readonly fault?: FedsvdError
}

/**
 * Yields the lines of UTF-8 bytes with their numbers, cut at LF, CR LF and CR, in any mix. `node:readline` would also
 * cut at U+2028 and U+2029, which may stand unescaped inside a JSON string; LF and CR may not.
 *
 * A line longer than {@link LONGEST_LINE} bytes comes with a fault in place of its text; its bytes are not kept.
 */
export async function* utf8Lines(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Line> {
  let line = 0
  let pending: Buffer[] = []
  let pendingLength = 0
  let isAfterCr = false
  const take = (last: Buffer): Line => {
    line++
    const length = pendingLength + last.length
    const whole = pendingLength > 0 ? Buffer.concat([...pending, last]) : last
    pending = []
    pendingLength = 0
    if (length <= LONGEST_LINE) return { file, line, text: whole.toString('utf8') }
    const fault = unreadable({ file, line }, `a line of at most ${LONGEST_LINE} bytes`, 'a longer one')
    return { file, line, text: '', fault }
  }
  for await (const chunk of bytes) {
    let start: number = isAfterCr && chunk[0] === LF ? 1 : 0
    if (chunk.length > 0) isAfterCr = false
    for (let end = lineEnd(chunk, start); end >= 0; end = lineEnd(chunk, start)) {
      yield take(chunk.subarray(start, end))
      const isCr = chunk[end] === CR
      start = isCr && chunk[end + 1] === LF ? end + 2 : end + 1
      isAfterCr = isCr && start === chunk.length && chunk[end + 1] === undefined
    }
    if (start >= chunk.length) continue
    pendingLength += chunk.length - start
    if (pendingLength <= LONGEST_LINE) pending.push(chunk.subarray(start))
    else pending = [] // its end is looked for, its bytes are not kept
  }
  if (pendingLength > 0) yield take(Buffer.alloc(0))
}

/** The position of the first line end at or behind `start`; -1 where there is none. */
function lineEnd(chunk: Buffer, start: number): number {
  const lf = chunk.indexOf(LF, start)
  const cr = chunk.subarray(0, lf < 0 ? chunk.length : lf).indexOf(CR, start)
  return cr < 0 ? lf : cr
}
