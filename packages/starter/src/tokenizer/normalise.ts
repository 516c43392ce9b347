/** A run of more combining marks than this is cut: sorting it takes the Unicode library quadratic time. */
export const LONGEST_MARK_RUN = 1024

const ABOVE_LATIN = /[\u0300-\uffff]/
const LONG_MARK_RUN = new RegExp(`(\\p{M}{${LONGEST_MARK_RUN}})\\p{M}+`, 'gu')

/**
 * Yields NFKC(text) piece by piece, so that whoever needs only the beginning of a huge text normalises only that.
 *
 * Every cut lies before an ASCII character. No ASCII character combines with what stands before it, so the pieces put
 * together equal the whole (UAX #15, section 9). Pieces start at about `firstLength` UTF-16 units and double; a stretch
 * without ASCII stays in one piece.
 */
export function* normalisedPieces(text: string, firstLength: number): Generator<string> {
  let length = Math.max(1, firstLength)
  for (let start = 0; start < text.length; length *= 2) {
    const end = nextAscii(text, start + length)
    const piece = start === 0 && end === text.length ? text : text.slice(start, end)
    yield boundMarkRuns(piece).normalize('NFKC')
    start = end
  }
}

function nextAscii(text: string, from: number): number {
  for (let i = from; i < text.length; i++) if (text.charCodeAt(i) < 0x80) return i
  return text.length
}

function boundMarkRuns(piece: string): string {
  return piece.length > LONGEST_MARK_RUN && ABOVE_LATIN.test(piece) ? piece.replace(LONG_MARK_RUN, '$1') : piece
}
