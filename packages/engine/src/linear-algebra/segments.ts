/** Rows of a partial sum: fewer than this and float32 keeps its digits. */
const SEGMENT_ROWS = 512

/**
 * Into how many segments of equal length the rows of a Gram matrix are cut. A device sums each in float32 and the host
 * adds the partial sums in float64, which brings the error from that of a sum of all rows to that of a sum of one
 * segment.
 */
export function segmentsOf(rows: number): number {
  const least = Math.ceil(rows / SEGMENT_ROWS)
  for (let segments = least; segments <= 4 * least; segments += 1) if (rows % segments === 0) return segments
  return 1
}

/**
 * The sums over the segments of each matrix, in float64: partial sums are (count segments) x size, the result count x
 * size.
 */
export function addedSegments(partial: ArrayLike<number>, segments: number, size: number): Float64Array {
  const result = new Float64Array(partial.length / segments)
  for (let at = 0; at < partial.length; at += 1) {
    const target = Math.floor(at / (segments * size)) * size + (at % size)
    result[target] = result[target]! + partial[at]!
  }
  return result
}
