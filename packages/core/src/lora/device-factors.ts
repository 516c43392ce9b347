import {
  type ColumnMatrix,
  cholesky,
  column,
  type Eigen,
  multiply,
  solveTransposed,
  transpose,
  transposeOfRowMajor,
} from '../linalg/index.ts'

/** What a device may leave behind, by its precision; derivations in docs/reference/devices.md. */
export const DEVICE_TOLERANCES = {
  float64: { product: 2e-7, orthonormality: 2e-7, smallestPivot: 1e-10 },
  float32: { product: 4e-6, orthonormality: 4e-6, smallestPivot: 1e-4 },
} as const

/** Below these a float64 device needs a second pass, because a Gram matrix holds squares. */
const SETTLED_PIVOT = 1e-4
const SETTLED_RATIO = 1e-6

/** The two maps of one layer, both rank x rank: A'^T = A^T `ofA` and B' = B `ofB`. */
export interface LayerMaps {
  readonly ofA: ColumnMatrix
  readonly ofB: ColumnMatrix
  /** A and B were conditioned so well that these maps are as exact as float64 makes them. */
  readonly isSettled: boolean
}

/**
 * The maps that re-factorise a layer, from the Gram matrices A A^T = L L^T and B^T B alone: with the eigenvectors V of
 * L^T (B^T B) L, the squared singular values of B A on its diagonal, A' = V^T L^-1 A and B' = B L V.
 *
 * Undefined where A has rows that are dependent to the device's precision, or a Gram matrix is not finite.
 *
 * @param gramOfA row-major rank x rank, of which both triangles count
 * @param gramOfB likewise
 */
export function layerMaps(
  rank: number,
  gramOfA: Float64Array,
  gramOfB: Float64Array,
  smallestPivot: number,
  eigen: (matrix: ColumnMatrix) => Eigen,
): LayerMaps | undefined {
  if (!gramOfA.every(Number.isFinite) || !gramOfB.every(Number.isFinite)) return undefined
  const lower = cholesky(symmetric(rank, gramOfA), smallestPivot)
  if (lower === undefined) return undefined
  const middle = multiply(transpose(lower), multiply(symmetric(rank, gramOfB), lower))
  const { v, values } = eigen(symmetric(rank, middle.data))
  const [largest, smallest] = [values[0]!, values.at(-1)!]
  return {
    ofA: solveTransposed(lower, v),
    ofB: multiply(lower, v),
    isSettled: leastPivot(lower) > SETTLED_PIVOT && (largest === 0 || smallest > SETTLED_RATIO * largest),
  }
}

/** The mean of both triangles. */
function symmetric(size: number, gram: Float64Array): ColumnMatrix {
  const result = transposeOfRowMajor(size, size, gram)
  for (let row = 0; row < size; row += 1) {
    for (let index = 0; index < row; index += 1) {
      const mean = (gram[row * size + index]! + gram[index * size + row]!) / 2
      result.data[row * size + index] = mean
      result.data[index * size + row] = mean
    }
  }
  return result
}

/** The smallest of the squared pivots, each beside the diagonal entry of the Gram matrix that it came from. */
function leastPivot(lower: ColumnMatrix): number {
  let least = 1
  for (let row = 0; row < lower.rows; row += 1) {
    let square = 0
    for (let index = 0; index <= row; index += 1) square += lower.data[index * lower.rows + row]! ** 2
    least = Math.min(least, lower.data[row * lower.rows + row]! ** 2 / square)
  }
  return least
}

/** Row-major copy of a square column matrix into `target` at `offset`. */
export function writeRowMajor(matrix: ColumnMatrix, target: Float64Array, offset: number): void {
  for (let index = 0; index < matrix.columns; index += 1) {
    const values = column(matrix, index)
    for (let row = 0; row < values.length; row += 1) target[offset + row * matrix.columns + index] = values[row]!
  }
}
