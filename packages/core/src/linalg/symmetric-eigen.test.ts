import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jacobiEigen } from './jacobi-eigen.ts'
import { type ColumnMatrix, column, dot, fromRowMajor, multiply, transpose } from './matrix.ts'
import { symmetricEigen } from './symmetric-eigen.ts'

/** X^T X for entries from -1 to 1 that hang on their place; of the rank that is asked for. */
function semidefinite(size: number, rank: number, scale: number, seed: number): ColumnMatrix {
  const values = Float64Array.from({ length: rank * size }, (_, at) => scale * Math.sin(seed + 12.9898 * at * (1 + at)))
  const x = fromRowMajor(rank, size, values)
  return multiply(transpose(x), x)
}

const matrices = fc
  .record({
    size: fc.integer({ min: 1, max: 24 }),
    rank: fc.integer({ min: 0, max: 24 }),
    scale: fc.constantFrom(1e-20, 1, 1e20),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ size, rank, scale, seed }) => semidefinite(size, Math.min(rank, size), scale, seed))

describe.each([
  ['QL', symmetricEigen],
  ['Jacobi', jacobiEigen],
])('eigenvectors by %s', (_, eigen) => {
  it('are orthonormal, and make the matrix diagonal with falling values, whatever its rank and scale', () => {
    fc.assert(
      fc.property(matrices, (matrix) => {
        const { v, values } = eigen(matrix)
        const size = matrix.columns
        const norm = Math.sqrt(dot(matrix.data, matrix.data))
        const applied = multiply(matrix, v)
        let [skew, residual] = [0, 0]
        for (let left = 0; left < size; left += 1) {
          for (let right = 0; right < size; right += 1) {
            skew = Math.max(skew, Math.abs(dot(column(v, left), column(v, right)) - (left === right ? 1 : 0)))
            const expected = left === right ? values[left]! : 0
            residual = Math.max(residual, Math.abs(dot(column(v, left), column(applied, right)) - expected))
          }
        }
        expect(skew).toBeLessThan(1e-12)
        expect(residual).toBeLessThanOrEqual(1e-10 * norm)
        expect(Array.from(values)).toEqual(Array.from(values).sort((left, right) => right - left))
      }),
    )
  })

  it('agree with values worked out by hand', () => {
    const matrix = fromRowMajor(2, 2, [2, 1, 1, 2])
    expect(Array.from(eigen(matrix).values)).toEqual([expect.closeTo(3, 12), expect.closeTo(1, 12)])
  })

  it('are refused for what is no number', () => {
    expect(() => eigen(fromRowMajor(2, 2, [1, Number.NaN, Number.NaN, 1]))).toThrow(/finite/)
  })
})

describe('Jacobi rotations', () => {
  it('keep the relative accuracy of eigenvalues that are graded over thirty decades', () => {
    // D H D with H = I + 0.1 everywhere, of which the eigenvalues are near the squares in D
    const scales = [1, 1e-5, 1e-10, 1e-15]
    const values = scales.flatMap((row, i) => scales.map((other, j) => row * other * (i === j ? 1 : 0.1)))
    const result = jacobiEigen(fromRowMajor(4, 4, values)).values
    // Schur complements of H, from the largest down: what is left of each direction beside the larger ones.
    const left = [1, 1 - 0.01, 1 - 0.02 / 1.1, 1 - 0.03 / 1.2]
    for (const [index, value] of result.entries())
      expect(value / (scales[index]! ** 2 * left[index]!)).toBeCloseTo(1, 8)
  })
})
