import { fillGaussian, seededSource } from '../random/index.ts'
import type { NamedTensor } from '../tensor/index.ts'
import { DEVICE_TOLERANCES } from './device-factors.ts'

/** The factors of one layer as a state holds them, and the singular values of their product. */
export interface Factors {
  /** Row-major rank x dIn. */
  readonly a: Float32Array
  /** Row-major dOut x rank. */
  readonly b: Float32Array
  readonly singularValues: Float64Array
}

/**
 * What a device left, in the form that a state has: columns of B in the order of their norms, which are the singular
 * values, and the largest entry of each row of A positive.
 *
 * @param raw row-major dIn x rank and dOut x rank; B is to be multiplied by `scale`
 */
export function sortedFactors(raw: {
  readonly rank: number
  readonly aTransposed: Float32Array | Float64Array
  readonly b: Float32Array | Float64Array
  readonly scale: number
}): Factors {
  const { rank, aTransposed, b, scale } = raw
  const [dIn, dOut] = [aTransposed.length / rank, b.length / rank]
  const norms = columnNorms(b, rank)
  const order = Array.from(norms.keys()).sort((left, right) => norms[right]! - norms[left]! || left - right)
  const signs = largestEntries(aTransposed, rank).map((entry) => (entry < 0 ? -1 : 1))
  const [sortedA, sortedB] = [new Float32Array(rank * dIn), new Float32Array(dOut * rank)]
  for (let index = 0; index < dIn; index += 1) {
    for (let to = 0; to < rank; to += 1) {
      const from = order[to]!
      sortedA[to * dIn + index] = signs[from]! * aTransposed[index * rank + from]!
    }
  }
  for (let row = 0; row < dOut; row += 1) {
    for (let to = 0; to < rank; to += 1) {
      const from = order[to]!
      sortedB[row * rank + to] = signs[from]! * scale * b[row * rank + from]!
    }
  }
  return { a: sortedA, b: sortedB, singularValues: Float64Array.from(order, (index) => scale * norms[index]!) }
}

/** Random directions on which results are tried: one alone may lie nearly across an error of rank one. */
const DIRECTIONS = 2

export type Directions = readonly { readonly x: Float64Array; readonly z: Float64Array }[]

/** Standard normal directions of dIn and of rank entries: always the same, so that a result never hangs on chance. */
export function directionsOf(rank: number, dIn: number): Directions {
  const source = seededSource('refactorisation', 'directions')
  return Array.from({ length: DIRECTIONS }, () => {
    const [x, z] = [new Float64Array(dIn), new Float64Array(rank)]
    fillGaussian(source, x)
    fillGaussian(source, z)
    return { x, z }
  })
}

/**
 * True where new factors are, in float64 on the host, what the re-factorisation promises of them, to a device's
 * tolerances: B'A' = BA beside the norms of B and A, A'A'^T = I, the rows of A in the row space of A' (which the
 * product does not show where B is zero), and orthogonal columns of B'. Each is tried on random directions (Freivalds
 * 1977), at the cost of a few products with a vector. NaN fails all of them.
 */
export function meetsTolerances(
  precision: keyof typeof DEVICE_TOLERANCES,
  a: NamedTensor,
  b: NamedTensor,
  factors: Factors,
  directions: Directions,
): boolean {
  const rank = a.shape[0]!
  const tolerances = DEVICE_TOLERANCES[precision]
  const sizeOfA = norm(a.data)
  const size = sizeOfA * norm(b.data)
  const isInside = (values: Float64Array, expected: Float64Array, bound: number) =>
    norm(values.map((value, index) => value - expected[index]!)) <= bound
  // Columns that are nothing but rounding beside the largest have no direction of their own.
  const smallest = tolerances.orthonormality * factors.singularValues[0]!
  const inverses = factors.singularValues.map((value) => (value > smallest ? 1 / value : 0))
  for (const { x, z } of directions) {
    const [before, after] = [times(b.data, times(a.data, x)), times(factors.b, times(factors.a, x))]
    if (!isInside(after, before, 3 * tolerances.product * size)) return false
    const bound = 3 * tolerances.orthonormality * Math.sqrt(rank)
    if (!isInside(times(factors.a, timesTransposed(factors.a, z)), z, bound)) return false
    const inRowSpace = timesTransposed(a.data, z)
    const projected = timesTransposed(factors.a, times(factors.a, inRowSpace))
    if (!isInside(projected, inRowSpace, 3 * tolerances.orthonormality * sizeOfA)) return false
    const scaled = z.map((value, index) => value * inverses[index]!)
    const back = timesTransposed(factors.b, times(factors.b, scaled)).map((value, index) => value * inverses[index]!)
    const kept = z.map((value, index) => (inverses[index]! > 0 ? value : 0))
    if (!isInside(back, kept, bound)) return false
  }
  return true
}

/** Row-major M times x. */
function times(matrix: Float32Array, x: Float64Array): Float64Array {
  const columns = x.length
  const result = new Float64Array(matrix.length / columns)
  for (let row = 0; row < result.length; row += 1) {
    let sum = 0
    for (let index = 0; index < columns; index += 1) sum += matrix[row * columns + index]! * x[index]!
    result[row] = sum
  }
  return result
}

/** M^T times y for a row-major M with as many rows as y has entries. */
function timesTransposed(matrix: Float32Array, y: Float64Array): Float64Array {
  const columns = matrix.length / y.length
  const result = new Float64Array(columns)
  for (let row = 0; row < y.length; row += 1) {
    const factor = y[row]!
    for (let index = 0; index < columns; index += 1)
      result[index] = result[index]! + factor * matrix[row * columns + index]!
  }
  return result
}

function norm(values: Float32Array | Float64Array): number {
  let sum = 0
  for (let index = 0; index < values.length; index += 1) sum += values[index]! ** 2
  return Math.sqrt(sum)
}

function columnNorms(matrix: Float32Array | Float64Array, columns: number): Float64Array {
  const squares = new Float64Array(columns)
  for (let start = 0; start < matrix.length; start += columns) {
    for (let index = 0; index < columns; index += 1) squares[index] = squares[index]! + matrix[start + index]! ** 2
  }
  return squares.map(Math.sqrt)
}

/** The entry of largest magnitude of each column, the first of equals. */
function largestEntries(matrix: Float32Array | Float64Array, columns: number): number[] {
  const largest: number[] = Array(columns).fill(0)
  for (let start = 0; start < matrix.length; start += columns) {
    for (let index = 0; index < columns; index += 1) {
      const value = matrix[start + index]!
      if (Math.abs(value) > Math.abs(largest[index]!)) largest[index] = value
    }
  }
  return largest
}
