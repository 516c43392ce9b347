import { addScaled, type ColumnMatrix, column, dot, zeros } from './matrix.ts'
import { reflect, reflectorOf } from './thin-qr.ts'

const MAX_ITERATIONS = 60

/** M = V diag(values) V^T with V orthogonal and the eigenvalues in descending order. */
export interface Eigen {
  readonly v: ColumnMatrix
  readonly values: Float64Array
}

/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder reflections to a tridiagonal one, then implicit QL
 * (Golub and Van Loan, Matrix Computations, sections 8.3.1 and 8.3.3; Bowdler, Martin, Reinsch and Wilkinson 1968).
 *
 * Guarantees: V is orthogonal to rounding whatever M is; the residual M V - V diag(values) is a few units of rounding
 * of the *largest* eigenvalue, so small ones have no relative accuracy.
 *
 * @throws RangeError when M holds NaN or infinity
 */
export function symmetricEigen(matrix: ColumnMatrix): Eigen {
  if (!matrix.data.every(Number.isFinite)) throw new RangeError('symmetricEigen expected finite values, got others')
  const { v, diagonal, beside } = tridiagonal(matrix)
  const size = matrix.columns
  for (let first = 0; first < size; first += 1) {
    for (let iterations = 0; ; iterations += 1) {
      let last = first
      while (last < size - 1 && !isSplit(diagonal, beside, last)) last += 1
      if (last === first) break
      if (iterations === MAX_ITERATIONS)
        throw new RangeError(`symmetricEigen did not converge in ${MAX_ITERATIONS} steps`)
      qlStep(v, diagonal, beside, first, last)
    }
  }
  return sorted(diagonal, v)
}

/** Columns of V in the order of falling values. */
export function sorted(values: Float64Array, v: ColumnMatrix): Eigen {
  const order = Array.from(values.keys()).sort((left, right) => values[right]! - values[left]! || left - right)
  const result = zeros(v.rows, v.columns)
  for (const [to, from] of order.entries()) column(result, to).set(column(v, from))
  return { v: result, values: Float64Array.from(order, (index) => values[index]!) }
}

/** True where the entry beside the diagonal is nothing beside its neighbours on it. */
function isSplit(diagonal: Float64Array, beside: Float64Array, index: number): boolean {
  const scale = Math.abs(diagonal[index]!) + Math.abs(diagonal[index + 1]!)
  return Math.abs(beside[index]!) <= Number.EPSILON * scale
}

/** M = V T V^T with T tridiagonal: its diagonal, and the entries `beside` it. */
function tridiagonal(matrix: ColumnMatrix): { v: ColumnMatrix; diagonal: Float64Array; beside: Float64Array } {
  const size = matrix.columns
  const work: ColumnMatrix = { ...matrix, data: matrix.data.slice() }
  const reflectors: Float64Array[] = []
  for (let index = 0; index < size - 2; index += 1) {
    // H M H = M - x p^T - p x^T for the reflection H = I - 2 x x^T, which leaves the first `index + 1` rows alone.
    const x = reflectorOf(column(work, index).subarray(index + 1))
    reflectors.push(x)
    const product = new Float64Array(x.length)
    for (const [at, factor] of x.entries()) addScaled(product, factor, column(work, index + 1 + at).subarray(index + 1))
    const along = dot(x, product)
    const p = product.map((value, at) => 2 * (value - along * x[at]!))
    reflect(x, column(work, index).subarray(index + 1))
    for (let at = 0; at < x.length; at += 1) {
      const target = column(work, index + 1 + at).subarray(index + 1)
      addScaled(target, -p[at]!, x)
      addScaled(target, -x[at]!, p)
    }
  }
  const v = zeros(size, size)
  for (let index = 0; index < size; index += 1) v.data[index * size + index] = 1
  for (const [index, x] of [...reflectors.entries()].reverse()) {
    for (let other = index + 1; other < size; other += 1) reflect(x, column(v, other).subarray(index + 1))
  }
  return {
    v,
    diagonal: Float64Array.from({ length: size }, (_, index) => work.data[index * size + index]!),
    beside: Float64Array.from({ length: size }, (_, index) => work.data[index * size + index + 1] ?? 0),
  }
}

/** One implicit QL step with Wilkinson's shift on the block from `first` to `last`. */
function qlStep(v: ColumnMatrix, diagonal: Float64Array, beside: Float64Array, first: number, last: number): void {
  const half = (diagonal[first + 1]! - diagonal[first]!) / (2 * beside[first]!)
  const root = Math.hypot(half, 1)
  let bulge = diagonal[last]! - diagonal[first]! + beside[first]! / (half + (half < 0 ? -root : root))
  let [sine, cosine, shift] = [1, 1, 0]
  for (let index = last - 1; index >= first; index -= 1) {
    const [far, near] = [sine * beside[index]!, cosine * beside[index]!]
    const length = Math.hypot(far, bulge)
    beside[index + 1] = length
    if (length === 0) {
      diagonal[index + 1] = diagonal[index + 1]! - shift
      beside[last] = 0
      return
    }
    sine = far / length
    cosine = bulge / length
    const rest = diagonal[index + 1]! - shift
    const turned = (diagonal[index]! - rest) * sine + 2 * cosine * near
    shift = sine * turned
    diagonal[index + 1] = rest + shift
    bulge = cosine * turned - near
    rotate(column(v, index), column(v, index + 1), cosine, sine)
  }
  diagonal[first] = diagonal[first]! - shift
  beside[first] = bulge
  beside[last] = 0
}

/** p <- cosine p - sine q and q <- sine p + cosine q, in place. */
export function rotate(p: Float64Array, q: Float64Array, cosine: number, sine: number): void {
  for (let index = 0; index < p.length; index += 1) {
    const [x, y] = [p[index]!, q[index]!]
    p[index] = cosine * x - sine * y
    q[index] = sine * x + cosine * y
  }
}
