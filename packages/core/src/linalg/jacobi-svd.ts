import { type ColumnMatrix, column, dot, identity } from './matrix.ts'
import { rotate } from './symmetric-eigen.ts'

const MAX_SWEEPS = 60
/**
 * Columns are orthogonal when the cosine between them is below this many units of rounding, at least, or one for each
 * element: rounding of a rotation and of a dot product can leave as much behind, and asking for less may never end.
 */
const LEAST_ROUNDING = 8
/** Columns this much smaller than the largest are zero: their products would fall below what a double can hold. */
const NOTHING = 1e-30

/**
 * One-sided Jacobi: finds an orthogonal V (columns x columns) such that the columns of `scaled` = M V are orthogonal
 * (Hestenes 1958; Demmel and Veselic 1992 for its high relative accuracy).
 *
 * `scaled` is U S and its column norms are the singular values, in descending order. Nothing is divided by a singular
 * value, so a rank-deficient or zero M needs no special case: V is orthogonal whatever M is.
 *
 * @throws RangeError when M holds NaN or infinity
 */
export function jacobiSvd(matrix: ColumnMatrix): {
  scaled: ColumnMatrix
  v: ColumnMatrix
  singularValues: Float64Array
} {
  if (!matrix.data.every(Number.isFinite)) throw new RangeError('jacobiSvd expected finite values, got NaN or infinity')
  const scaled: ColumnMatrix = { ...matrix, data: matrix.data.slice() }
  const v = identity(matrix.columns)
  let sweeps = 0
  const squares = Array.from({ length: matrix.columns }, (_, index) =>
    dot(column(scaled, index), column(scaled, index)),
  )
  const negligible = NOTHING ** 2 * Math.max(...squares)
  while (sweep(scaled, v, negligible)) {
    sweeps += 1
    if (sweeps > MAX_SWEEPS) throw new RangeError(`jacobiSvd expected convergence in ${MAX_SWEEPS} sweeps, got none`)
  }
  const norms = Float64Array.from({ length: matrix.columns }, (_, index) =>
    Math.sqrt(dot(column(scaled, index), column(scaled, index))),
  )
  const order = Array.from(norms.keys()).sort((left, right) => norms[right]! - norms[left]! || left - right)
  return {
    scaled: pick(scaled, order),
    v: pick(v, order),
    singularValues: Float64Array.from(order, (index) => norms[index]!),
  }
}

/** Rotates every pair of columns that is not yet orthogonal; false when none was. `negligible` is a squared norm. */
function sweep(scaled: ColumnMatrix, v: ColumnMatrix, negligible: number): boolean {
  const orthogonal = Math.max(LEAST_ROUNDING, scaled.rows) * Number.EPSILON
  let rotated = false
  for (let left = 0; left < scaled.columns - 1; left += 1) {
    for (let right = left + 1; right < scaled.columns; right += 1) {
      const [p, q] = [column(scaled, left), column(scaled, right)]
      const [pp, qq, pq] = [dot(p, p), dot(q, q), dot(p, q)]
      if (Math.min(pp, qq) <= negligible) continue
      if (Math.abs(pq) <= orthogonal * Math.sqrt(pp) * Math.sqrt(qq)) continue
      rotated = true
      const zeta = (qq - pp) / (2 * pq)
      const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
      const cosine = 1 / Math.hypot(1, tangent)
      rotate(p, q, cosine, cosine * tangent)
      rotate(column(v, left), column(v, right), cosine, cosine * tangent)
    }
  }
  return rotated
}

function pick(matrix: ColumnMatrix, order: readonly number[]): ColumnMatrix {
  const data = new Float64Array(matrix.data.length)
  for (const [to, from] of order.entries()) data.set(column(matrix, from), to * matrix.rows)
  return { ...matrix, data }
}
