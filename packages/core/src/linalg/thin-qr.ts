import { addScaled, type ColumnMatrix, column, dot, zeros } from './matrix.ts'

/**
 * Thin QR factorisation M = Q R by Householder reflections (Golub and Van Loan, Matrix Computations, section 5.2).
 *
 * Guarantees, for rows >= columns: Q (rows x columns) has orthonormal columns to rounding, *whatever the rank of M*,
 * zero included; R (columns x columns) is upper triangular; Q R = M to a few units of rounding relative to the norm of
 * M.
 */
export function thinQr(matrix: ColumnMatrix): { q: ColumnMatrix; r: ColumnMatrix } {
  const { rows, columns } = matrix
  const { reflectors, r } = triangularised(matrix)
  const q = zeros(rows, columns)
  for (let index = 0; index < columns; index += 1) q.data[index * rows + index] = 1
  for (let index = columns - 1; index >= 0; index -= 1) {
    for (let other = index; other < columns; other += 1) reflect(reflectors[index]!, column(q, other).subarray(index))
  }
  return { q, r }
}

/** Rows of a block of {@link triangularFactor}: eight columns of it are 256 KiB, which a core keeps at hand. */
const BLOCK_ROWS = 4096

/**
 * R of M = Q R alone, block of rows by block of rows, each below the R of those before it (sequential TSQR, Demmel,
 * Grigori, Hoemmen and Langou 2012, section 3). As accurate as {@link thinQr}, whose R it is up to the signs of its
 * rows.
 */
export function triangularFactor(matrix: ColumnMatrix): ColumnMatrix {
  const { rows, columns } = matrix
  const first = Math.max(columns, BLOCK_ROWS)
  let { r } = triangularised(rowsOf(matrix, 0, Math.min(first, rows)))
  for (let start = first; start < rows; start += BLOCK_ROWS) {
    const block = rowsOf(matrix, start, Math.min(start + BLOCK_ROWS, rows))
    r = triangularised(stacked(r, block)).r
  }
  return r
}

function rowsOf({ rows, columns, data }: ColumnMatrix, start: number, end: number): ColumnMatrix {
  const block = zeros(end - start, columns)
  for (let index = 0; index < columns; index += 1) {
    column(block, index).set(data.subarray(index * rows + start, index * rows + end))
  }
  return block
}

function stacked(upper: ColumnMatrix, lower: ColumnMatrix): ColumnMatrix {
  const result = zeros(upper.rows + lower.rows, upper.columns)
  for (let index = 0; index < upper.columns; index += 1) {
    column(result, index).set(column(upper, index))
    column(result, index).set(column(lower, index), upper.rows)
  }
  return result
}

function triangularised(matrix: ColumnMatrix): { reflectors: readonly Float64Array[]; r: ColumnMatrix } {
  const { rows, columns } = matrix
  if (rows < columns) throw new RangeError(`thinQr expected rows >= columns, got ${rows} x ${columns}`)
  const work: ColumnMatrix = { rows, columns, data: matrix.data.slice() }
  const r = zeros(columns, columns)
  const reflectors: Float64Array[] = []
  for (let index = 0; index < columns; index += 1) {
    const reflector = reflectorOf(column(work, index).subarray(index))
    reflectors.push(reflector)
    for (let other = index; other < columns; other += 1) reflect(reflector, column(work, other).subarray(index))
    r.data.set(column(work, index).subarray(0, index + 1), index * columns)
  }
  return { reflectors, r }
}

/** Unit vector v with (I - 2 v v^T) x = -sign(x_0) |x| e_0; all zeros (the identity) when x is zero. */
export function reflectorOf(x: Float64Array): Float64Array {
  const v = x.slice()
  const scale = v.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  if (scale === 0) return v
  for (let index = 0; index < v.length; index += 1) v[index] = v[index]! / scale
  v[0] = v[0]! + (v[0]! < 0 ? -1 : 1) * Math.sqrt(dot(v, v))
  const norm = Math.sqrt(dot(v, v))
  for (let index = 0; index < v.length; index += 1) v[index] = v[index]! / norm
  return v
}

/** x <- (I - 2 v v^T) x, in place. */
export function reflect(v: Float64Array, x: Float64Array): void {
  addScaled(x, -2 * dot(v, x), v)
}
