import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jacobiSvd } from './jacobi-svd.ts'
import { type ColumnMatrix, column, dot, identity, multiply } from './matrix.ts'

/** Rounding of each last rotation leaves a cosine of more than one unit between its columns, again and again. */
const NEVER_EXACTLY_ORTHOGONAL = [-0.504, 0, -0.383, -0.673]

const square = (values: ArrayLike<number>): ColumnMatrix => {
  const size = Math.sqrt(values.length)
  return { rows: size, columns: size, data: new Float64Array(values) }
}

/** The largest absolute difference of any element. */
const distance = (left: ColumnMatrix, right: ColumnMatrix): number =>
  left.data.reduce((largest, value, index) => Math.max(largest, Math.abs(value - right.data[index]!)), 0)

function expectFactorised(matrix: ColumnMatrix): void {
  const { scaled, v, singularValues } = jacobiSvd(matrix)
  const scale = Math.sqrt(dot(matrix.data, matrix.data))
  expect(distance(multiply(matrix, v), scaled)).toBeLessThanOrEqual(1e-13 * scale)
  const gram = identity(v.columns)
  for (let i = 0; i < v.columns; i += 1)
    for (let j = 0; j < v.columns; j += 1) gram.data[j * v.columns + i] = dot(column(v, i), column(v, j))
  expect(distance(gram, identity(v.columns))).toBeLessThanOrEqual(1e-13)
  for (const [index, value] of singularValues.entries()) {
    expect(value).toBeLessThanOrEqual(singularValues[index - 1] ?? Number.POSITIVE_INFINITY)
    for (let other = 0; other < index; other += 1) {
      const [left, right] = [column(scaled, other), column(scaled, index)]
      const lengths = Math.sqrt(dot(left, left)) * Math.sqrt(dot(right, right))
      expect(Math.abs(dot(left, right))).toBeLessThanOrEqual(1e-13 * lengths + 1e-29 * scale ** 2)
    }
  }
}

describe('one-sided Jacobi', () => {
  it('ends where columns cannot be made exactly orthogonal', () => {
    expectFactorised(square(NEVER_EXACTLY_ORTHOGONAL))
  })

  it('ends for every matrix, whatever its size', { timeout: 60_000 }, () => {
    const element = fc.integer({ min: -1000, max: 1000 }).map((value) => value / 1000)
    const matrix = fc
      .integer({ min: 1, max: 6 })
      .chain((size) => fc.array(element, { minLength: size * size, maxLength: size * size }))
    fc.assert(
      fc.property(matrix, (values) => expectFactorised(square(values))),
      { numRuns: 3000 },
    )
  })

  it('refuses what is no number', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => jacobiSvd(square([1, 0, 0, value]))).toThrow(/finite/)
    }
  })
})
