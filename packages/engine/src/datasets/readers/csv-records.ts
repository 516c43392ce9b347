import type { CsvDialect } from './csv-dialect.ts'
import { LONGEST_LINE } from './lines.ts'

const LF = 0x0a
const CR = 0x0d
const QUOTE = 0x22

export type CsvFault = 'too long' | 'quote in a field' | 'text behind a quote' | 'quote not closed'

/** The fields of one row, or why it has none. */
export interface CsvRecord {
  /** The line of its first byte, from 1. */
  readonly line: number
  readonly fields: readonly string[]
  readonly fault?: CsvFault
}

/** Where in a field the reader stands. */
type Position = 'at its beginning' | 'plain' | 'quoted' | 'behind a quote'

/**
 * Yields the rows of a table (RFC 4180) from UTF-8 bytes in which no chunk ends within a character. Lines end in LF,
 * CR LF or CR, in any mix; blank lines are passed over.
 *
 * A row that is not well formed is one row with a fault: text behind a closing quote takes it up to the next quote that
 * closes. So is a row of more than {@link LONGEST_LINE} bytes, whose bytes are not kept; the rows behind it are read.
 */
export async function* csvRecords(bytes: AsyncIterable<Buffer>, dialect: CsvDialect): AsyncGenerator<CsvRecord> {
  const quotes = dialect.quoting === 'double'
  const delimiter = Buffer.from(dialect.delimiter)
  let position: Position = 'at its beginning'
  let [line, rowLine, rowLength, isAfterCr] = [1, 1, 0, false]
  let fields: string[] = []
  let parts: Buffer[] = [] // of a field that began in an earlier chunk, or has quotes inside
  let fault: CsvFault | undefined

  const isFaulty = (found: CsvFault): void => {
    fault ??= found
    fields = []
    parts = []
  }
  const keep = (part: Buffer): void => {
    if (fault === undefined && part.length > 0) parts.push(part)
  }
  const endField = (chunk: Buffer, start: number, end: number): void => {
    if (rowLength + end > LONGEST_LINE) isFaulty('too long')
    position = 'at its beginning'
    if (fault !== undefined) return
    if (parts.length === 0) fields.push(chunk.toString('utf8', start, end))
    else {
      fields.push(Buffer.concat([...parts, chunk.subarray(start, end)]).toString('utf8'))
      parts = []
    }
  }
  /** @param nextLength what is added to a position in the chunk to have the length of the row up to there */
  const endRow = (nextLength: number): CsvRecord => {
    const row = { line: rowLine, fields, ...(fault !== undefined && { fault }) }
    fields = []
    fault = undefined
    rowLength = nextLength
    return row
  }

  for await (const chunk of bytes) {
    let start = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!
      const isLineEnd = byte === LF || byte === CR
      if (isLineEnd && !(byte === LF && isAfterCr)) line += 1
      isAfterCr = byte === CR
      if (position === 'quoted') {
        if (byte !== QUOTE) continue
        keep(chunk.subarray(start, at))
        start = at + 1
        position = 'behind a quote'
        continue
      }
      const isDelimiter = byte === delimiter[0] && isAt(chunk, at, delimiter)
      if (position === 'behind a quote' && !isLineEnd && !isDelimiter) {
        if (byte !== QUOTE) isFaulty('text behind a quote')
        start = at // the second of two quotes is the character
        position = 'quoted'
      } else if (isDelimiter) {
        endField(chunk, start, at)
        at += delimiter.length - 1
        start = at + 1
      } else if (isLineEnd) {
        const isBlank = position === 'at its beginning' && fields.length === 0 && fault === undefined
        if (!isBlank) {
          endField(chunk, start, at)
          yield endRow(-at - 1)
        } else rowLength = -at - 1
        start = at + 1
        rowLine = line
      } else if (quotes && byte === QUOTE) {
        if (position === 'plain') isFaulty('quote in a field')
        else {
          position = 'quoted'
          start = at + 1
        }
      } else position = 'plain'
    }
    keep(chunk.subarray(start))
    rowLength += chunk.length
    if (rowLength > LONGEST_LINE) isFaulty('too long')
  }
  if (position === 'quoted') isFaulty('quote not closed')
  if (position === 'at its beginning' && fields.length === 0 && fault === undefined) return
  endField(Buffer.alloc(0), 0, 0)
  yield endRow(0)
}

function isAt(chunk: Buffer, at: number, delimiter: Buffer): boolean {
  for (let index = 1; index < delimiter.length; index += 1) if (chunk[at + index] !== delimiter[index]) return false
  return true
}
