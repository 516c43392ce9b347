import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ColumnMatrix, column, dot, multiply, transpose, zeros } from './matrix.ts'
import { thinQr, triangularFactor } from './thin-qr.ts'

/** Entries from -1 to 1 that hang on their place alone, with `rank` independent columns. */
function tall(rows: number, columns: number, rank = columns): ColumnMatrix {
  const matrix = zeros(rows, columns)
  for (let index = 0; index < columns; index += 1) {
    for (let row = 0; row < rows; row += 1) {
      matrix.data[index * rows + row] = Math.sin(1 + 12.9898 * row * (1 + (index % rank)) + 78.233 * (index % rank))
    }
  }
  return matrix
}

/** M^T M, which R^T R is as well. */
function gram(matrix: ColumnMatrix): number[] {
  const { columns } = matrix
  return Array.from({ length: columns ** 2 }, (_, place) =>
    dot(column(matrix, place % columns), column(matrix, Math.floor(place / columns))),
  )
}

describe('the triangular factor alone', () => {
  it.each([
    ['fewer rows than a block', 100],
    ['a block', 4096],
    ['a block and one row', 4097],
    ['three blocks, not whole', 11_000],
  ])('is that of the whole factorisation up to signs, with %s', (_, rows) => {
    const matrix = tall(rows, 6)
    const [alone, whole] = [triangularFactor(matrix), thinQr(matrix).r]
    for (const [place, value] of alone.data.entries()) {
      expect(Math.abs(Math.abs(value) - Math.abs(whole.data[place]!))).toBeLessThan(1e-11)
    }
  })

  it.each([0, 1, 3])('keeps the lengths and angles of columns of rank %i', (rank) => {
    const matrix = rank === 0 ? zeros(9000, 5) : tall(9000, 5, rank)
    const expected = gram(matrix)
    for (const [place, value] of gram(triangularFactor(matrix)).entries()) {
      expect(Math.abs(value - expected[place]!)).toBeLessThan(1e-9)
    }
  })
})

describe('a product', () => {
  it('is the sum over the inner dimension, whatever that is', () => {
    const sizes = fc.integer({ min: 1, max: 11 })
    fc.assert(
      fc.property(sizes, sizes, sizes, (rows, inner, columns) => {
        const [left, right] = [tall(rows, inner), tall(inner, columns)]
        const product = multiply(left, right)
        const across = transpose(left)
        for (let row = 0; row < rows; row += 1) {
          for (let index = 0; index < columns; index += 1) {
            const plain = dot(column(across, row), column(right, index))
            expect(product.data[index * rows + row]).toBeCloseTo(plain, 12)
          }
        }
      }),
    )
  })
})
