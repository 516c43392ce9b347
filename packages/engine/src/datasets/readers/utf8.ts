import { isUtf8 } from 'node:buffer'
import type { OnBadText } from './bad-text.ts'
import { otherEncoding } from './place.ts'

const NEWLINE = 0x0a

/** Position of the first byte that no UTF-8 text can have there, from 0; the length where all of it is a whole text. */
export function validUtf8Length(bytes: Uint8Array): number {
  let at = 0
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at)
    if (length === 0) return at
    at += length
  }
  return at
}

/** Bytes of the well-formed character that begins at `at` (RFC 3629, table of section 4); 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return 1
  const length =
    first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  const second = bytes[at + 1]!
  if (second < low || second > high) return 0
  for (let next = at + 2; next < at + length; next++) if ((bytes[next]! & 0xc0) !== 0x80) return 0
  return length
}

/**
 * Passes on a stream of bytes. Each byte that is not UTF-8 is told to `onFault`, as DATA_UNREADABLE with line and byte,
 * and passed on as what that gives, before a reader can put a replacement character in its place. Where `onFault`
 * throws, the stream ends with that.
 */
export async function* checkedUtf8(
  bytes: AsyncIterable<Buffer>,
  file: string,
  onFault: OnBadText,
): AsyncGenerator<Buffer> {
  let line = 1
  let column = 0
  let cut: Buffer = Buffer.alloc(0)
  const advance = (passed: Buffer): void => {
    line += lineFeeds(passed)
    column = passed.includes(NEWLINE) ? passed.length - passed.lastIndexOf(NEWLINE) - 1 : column + passed.length
  }
  for await (const chunk of bytes) {
    let all = cut.length > 0 ? Buffer.concat([cut, chunk]) : chunk
    for (;;) {
      const whole = isUtf8(all) ? all.length : validUtf8Length(all)
      cut = all.subarray(whole)
      const passed = all.subarray(0, whole)
      advance(passed)
      if (passed.length > 0) yield passed
      if (mayContinue(cut)) break
      yield Buffer.from(onFault(notUtf8(file, line, column)))
      advance(cut.subarray(0, 1))
      all = cut.subarray(1)
    }
  }
  if (cut.length === 0) return
  yield Buffer.from(onFault(notUtf8(file, line, column)))
}

/**
 * Whether these bytes, which begin no whole character, can be the first ones of a character that a chunk cut in two.
 */
function mayContinue(cut: Buffer): boolean {
  if (cut.length > 3) return false
  return (
    cut.length === 0 ||
    [0x80, 0x90, 0xa0].some((next) => {
      const padded = Buffer.concat([cut, Buffer.of(next, 0x80, 0x80)])
      return sequenceLength(padded, 0) > cut.length
    })
  )
}

function notUtf8(file: string, line: number, column: number) {
  return otherEncoding({ file, line }, `other bytes from byte ${column + 1} of that line on`)
}

/** How many line feeds there are. */
export function lineFeeds(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1
  return count
}
