import {
  type ColumnMatrix,
  column,
  fromRowMajor,
  jacobiSvd,
  multiply,
  thinQr,
  toRowMajor,
  transpose,
  transposeOfRowMajor,
  triangularFactor,
} from '../linalg/index.ts'
import type { NamedTensor } from '../tensor/index.ts'
import type { Factors } from './factors.ts'
import type { AdapterSchema, AdapterState } from './schema.ts'

/** The exact factors of one layer after re-factorisation, in float64. */
export interface Refactorised {
  /** rank x dIn with orthonormal rows, stored transposed: column i is row i of A. */
  readonly aTransposed: ColumnMatrix
  /** dOut x rank with orthogonal columns of descending norm. */
  readonly b: ColumnMatrix
  /** The singular values of B A: the column norms of b. */
  readonly singularValues: Float64Array
}

/**
 * Re-factorises B A = U S V^T into A' = V^T (orthonormal rows) and B' = U S, exactly and without forming the product
 * (FedSVD, Lee et al. 2025, arXiv 2505.12805, algorithm 1).
 *
 * With A^T = Q_a R_a and the triangular factor R_g of B R_a^T, a one-sided Jacobi rotation V of R_g gives A' = V^T
 * Q_a^T and B' = (B R_a^T) V. The left factor of R_g is never needed.
 *
 * Guarantees up to float64 rounding: B'A' = BA; A'A'^T = I; the columns of B' are orthogonal with descending norms.
 * The row space of A' is that of A (of A extended by arbitrary orthonormal directions, where A is rank-deficient).
 * A zero or rank-deficient B is no special case. Signs are deterministic: the largest entry of each row of A' is
 * positive.
 *
 * @param a row-major rank x dIn, any full matrix
 * @param b row-major dOut x rank
 * @example
 * const a = { name: 'a', shape: [1, 2], data: Float32Array.of(3, 4) }
 * const b = { name: 'b', shape: [2, 1], data: Float32Array.of(1, 0) }
 * refactoriseLayer(a, b).singularValues // [5]
 */
export function refactoriseLayer(a: NamedTensor, b: NamedTensor): Refactorised {
  const [rank, dIn] = a.shape as [number, number]
  const [dOut] = b.shape as [number, number]
  const rowSpace = thinQr(transposeOfRowMajor(rank, dIn, a.data))
  const product = multiply(fromRowMajor(dOut, rank, b.data), transpose(rowSpace.r))
  const { v, singularValues } = jacobiSvd(triangularFactor(product))
  const factors = { aTransposed: multiply(rowSpace.q, v), b: multiply(product, v), singularValues }
  fixSigns(factors)
  return factors
}

/** A state after re-factorisation, and the singular values of each layer. */
export interface RefactorisedState {
  readonly state: AdapterState
  readonly spectra: readonly Float64Array[]
}

/** The exact factors as a state holds them. */
export function rowMajorFactors({ aTransposed, b, singularValues }: Refactorised): Factors {
  return { a: new Float32Array(aTransposed.data), b: toRowMajor(b), singularValues }
}

/**
 * Re-factorises every layer of a state; the head is untouched and the basis moves on by one. `spectra[i]` are the
 * singular values of layer i. A pure function of public values: it costs no privacy (post-processing).
 */
export function refactorise(schema: AdapterSchema, state: AdapterState): RefactorisedState {
  const layers = schema.layers.map((_, index) => rowMajorFactors(refactoriseLayer(state.a[index]!, state.b[index]!)))
  return {
    state: {
      basis: state.basis + 1,
      a: state.a.map((tensor, index) => ({ ...tensor, data: layers[index]!.a })),
      b: state.b.map((tensor, index) => ({ ...tensor, data: layers[index]!.b })),
      head: state.head,
    },
    spectra: layers.map(({ singularValues }) => singularValues),
  }
}

function fixSigns({ aTransposed, b }: Refactorised): void {
  for (let index = 0; index < aTransposed.columns; index += 1) {
    const direction = column(aTransposed, index)
    const largest = direction.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0)
    if (largest >= 0) continue
    for (const vector of [direction, column(b, index)]) {
      for (let element = 0; element < vector.length; element += 1) vector[element] = -vector[element]!
    }
  }
}
