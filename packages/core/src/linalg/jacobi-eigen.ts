import { type ColumnMatrix, column, identity } from './matrix.ts'
import { type Eigen, rotate, sorted } from './symmetric-eigen.ts'

const MAX_SWEEPS = 40
/** Far below what float32 can tell from a right angle. */
const NEGLIGIBLE_COSINE = 1e-11
/** Products of diagonal entries below this have left the range in which a double keeps its precision. */
const SMALLEST = 1e-290

/**
 * {@link symmetricEigen} by cyclic Jacobi rotations, for a positive semidefinite matrix that is nearly diagonal.
 *
 * A pair is left alone once its entry is small beside *its own* diagonal entries, so a graded matrix D H D with a
 * well-conditioned H keeps the relative accuracy of its small eigenvalues (Demmel and Veselic 1992). Where rounding has
 * spoilt the small ones, the sweeps end after a fixed number: V is orthogonal to rounding whatever M is.
 *
 * @throws RangeError when M holds NaN or infinity
 */
export function jacobiEigen(matrix: ColumnMatrix): Eigen {
  if (!matrix.data.every(Number.isFinite)) throw new RangeError('jacobiEigen expected finite values, got others')
  const size = matrix.columns
  const work: ColumnMatrix = { ...matrix, data: matrix.data.slice() }
  const v = identity(size)
  for (let sweeps = 0; sweeps < MAX_SWEEPS && sweep(work, v); sweeps += 1);
  return sorted(
    Float64Array.from({ length: size }, (_, index) => work.data[index * size + index]!),
    v,
  )
}

/** Rotates every pair that is not yet diagonal; false when none was. Both triangles are kept. */
function sweep(work: ColumnMatrix, v: ColumnMatrix): boolean {
  const { columns: size, data } = work
  let rotated = false
  for (let p = 0; p < size - 1; p += 1) {
    for (let q = p + 1; q < size; q += 1) {
      const [pp, qq, pq] = [data[p * size + p]!, data[q * size + q]!, data[q * size + p]!]
      const scale = Math.sqrt(Math.abs(pp)) * Math.sqrt(Math.abs(qq))
      if (Math.abs(pq) <= Math.max(NEGLIGIBLE_COSINE * scale, SMALLEST)) continue
      rotated = true
      const zeta = (qq - pp) / (2 * pq)
      const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
      const cosine = 1 / Math.hypot(1, tangent)
      const sine = cosine * tangent
      rotate(column(work, p), column(work, q), cosine, sine)
      // The same from the other side: by symmetry row p is column p, except where the two rows meet the two columns.
      const [cornerPP, cornerPQ] = [data[p * size + p]!, data[p * size + q]!]
      const [cornerQP, cornerQQ] = [data[q * size + p]!, data[q * size + q]!]
      for (let index = 0; index < size; index += 1) {
        data[index * size + p] = data[p * size + index]!
        data[index * size + q] = data[q * size + index]!
      }
      data[p * size + p] = cosine * cornerPP - sine * cornerPQ
      data[q * size + q] = sine * cornerQP + cosine * cornerQQ
      data[p * size + q] = 0
      data[q * size + p] = 0
      rotate(column(v, p), column(v, q), cosine, sine)
    }
  }
  return rotated
}
