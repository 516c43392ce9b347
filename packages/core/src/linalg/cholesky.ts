import { type ColumnMatrix, zeros } from './matrix.ts'

/**
 * The lower triangular L of a symmetric G = L L^T (Golub and Van Loan, Matrix Computations, section 4.2), reading the
 * lower triangle of G; undefined where a pivot falls below `smallestPivot` times its diagonal entry, or is not finite:
 * G is then singular to that precision, or not positive definite.
 */
export function cholesky(gram: ColumnMatrix, smallestPivot: number): ColumnMatrix | undefined {
  const size = gram.columns
  const lower = zeros(size, size)
  for (let column = 0; column < size; column += 1) {
    for (let row = column; row < size; row += 1) {
      let rest = gram.data[column * size + row]!
      for (let inner = 0; inner < column; inner += 1) {
        rest -= lower.data[inner * size + row]! * lower.data[inner * size + column]!
      }
      if (row > column) lower.data[column * size + row] = rest / lower.data[column * size + column]!
      else if (rest > smallestPivot * gram.data[column * size + row]! && rest < Number.POSITIVE_INFINITY) {
        lower.data[column * size + row] = Math.sqrt(rest)
      } else return undefined
    }
  }
  return lower
}

/** The solution x of L x = v for a lower triangular L with a diagonal without zeros. */
export function solveLower(lower: ColumnMatrix, right: Float64Array): Float64Array {
  const size = lower.columns
  const solution = right.slice()
  for (let row = 0; row < size; row += 1) {
    let rest = solution[row]!
    for (let inner = 0; inner < row; inner += 1) rest -= lower.data[inner * size + row]! * solution[inner]!
    solution[row] = rest / lower.data[row * size + row]!
  }
  return solution
}

/** The solution X of L^T X = M for a lower triangular L with a diagonal without zeros. */
export function solveTransposed(lower: ColumnMatrix, right: ColumnMatrix): ColumnMatrix {
  const size = lower.columns
  const solution: ColumnMatrix = { ...right, data: right.data.slice() }
  for (let index = 0; index < right.columns; index += 1) {
    const at = index * size
    for (let row = size - 1; row >= 0; row -= 1) {
      let rest = solution.data[at + row]!
      for (let inner = row + 1; inner < size; inner += 1) {
        rest -= lower.data[row * size + inner]! * solution.data[at + inner]!
      }
      solution.data[at + row] = rest / lower.data[row * size + row]!
    }
  }
  return solution
}
