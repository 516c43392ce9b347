import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ColumnMatrix, column, dot, fromRowMajor, multiply, thinQr, transpose } from '../linalg/index.ts'
import type { NamedTensor } from '../tensor/index.ts'
import { type Refactorised, refactorise, refactoriseLayer } from './refactorise.ts'

const tensor = (name: string, shape: number[], values: ArrayLike<number>): NamedTensor => ({
  name,
  shape,
  data: Float32Array.from(values),
})

/** Sizes and entries of a layer: any A, any B, of any scale. */
const layers = fc
  .record({
    rank: fc.integer({ min: 1, max: 6 }),
    extraIn: fc.integer({ min: 0, max: 9 }),
    extraOut: fc.integer({ min: 0, max: 9 }),
    scale: fc.constantFrom(1e-6, 1, 1e6),
  })
  .chain(({ rank, extraIn, extraOut, scale }) => {
    const values = (count: number) =>
      fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: count, maxLength: count })
    const [dIn, dOut] = [rank + extraIn, rank + extraOut]
    return fc.record({ a: values(rank * dIn), b: values(dOut * rank) }).map(({ a, b }) => ({
      rank,
      dIn,
      dOut,
      a: tensor(
        'a',
        [rank, dIn],
        a.map((value) => value / 500),
      ),
      b: tensor(
        'b',
        [dOut, rank],
        b.map((value) => (value / 500) * scale),
      ),
    }))
  })

const productOf = (a: ColumnMatrix, b: ColumnMatrix) => multiply(b, a)
const original = ({ a, b }: { a: NamedTensor; b: NamedTensor }) =>
  productOf(fromRowMajor(a.shape[0]!, a.shape[1]!, a.data), fromRowMajor(b.shape[0]!, b.shape[1]!, b.data))
const rebuilt = ({ aTransposed, b }: Refactorised) => productOf(transpose(aTransposed), b)
const frobenius = ({ data }: ColumnMatrix) => Math.sqrt(dot(data, data))
const distance = (left: ColumnMatrix, right: ColumnMatrix) =>
  frobenius({ ...left, data: left.data.map((value, index) => value - right.data[index]!) })

function expectOrthonormalColumns(matrix: ColumnMatrix): void {
  for (let left = 0; left < matrix.columns; left += 1) {
    for (let right = 0; right <= left; right += 1) {
      expect(dot(column(matrix, left), column(matrix, right))).toBeCloseTo(left === right ? 1 : 0, 13)
    }
  }
}

describe('re-factorisation of one layer', () => {
  it('keeps the product, makes A orthonormal, and puts descending singular values into B', () => {
    fc.assert(
      fc.property(layers, (layer) => {
        const result = refactoriseLayer(layer.a, layer.b)
        const product = original(layer)
        const scale =
          frobenius(fromRowMajor(layer.dOut, layer.rank, layer.b.data)) *
          frobenius(fromRowMajor(layer.rank, layer.dIn, layer.a.data))
        expect(distance(rebuilt(result), product)).toBeLessThanOrEqual(1e-14 * scale * 10)
        expectOrthonormalColumns(result.aTransposed)
        for (let index = 0; index < layer.rank; index += 1) {
          const norm = Math.sqrt(dot(column(result.b, index), column(result.b, index)))
          expect(Math.abs(norm - result.singularValues[index]!)).toBeLessThanOrEqual(
            1e-13 * (1 + result.singularValues[0]!),
          )
          if (index > 0) expect(result.singularValues[index]!).toBeLessThanOrEqual(result.singularValues[index - 1]!)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('agrees with singular values worked out by hand', () => {
    // B A = [[3, 0], [0, 4]] [[0, 1], [1, 0]] = [[0, 3], [4, 0]]: singular values 4 and 3
    const { singularValues } = refactoriseLayer(tensor('a', [2, 2], [0, 1, 1, 0]), tensor('b', [2, 2], [3, 0, 0, 4]))
    expect(Array.from(singularValues)).toEqual([expect.closeTo(4, 13), expect.closeTo(3, 13)])
  })

  it('needs no special case for a zero B: A spans the same space and is orthonormal', () => {
    const a = tensor('a', [2, 3], [1, 2, 2, 0, 3, 4])
    const result = refactoriseLayer(a, tensor('b', [4, 2], new Float32Array(8)))
    expect(Array.from(result.b.data)).toEqual(
      Array(8)
        .fill(0)
        .map(() => expect.closeTo(0, 15)),
    )
    expectOrthonormalColumns(result.aTransposed)
    expectSameRowSpace(a, result)
  })

  it('keeps A orthonormal when B has rank one', () => {
    const a = tensor('a', [3, 5], [1, 0, 0, 2, 0, 0, 1, 0, 0, 3, 0, 0, 1, 1, 1])
    const b = tensor('b', [4, 3], [1, 2, 3, 2, 4, 6, -1, -2, -3, 0, 0, 0])
    const result = refactoriseLayer(a, b)
    expectOrthonormalColumns(result.aTransposed)
    expect(result.singularValues[0]).toBeGreaterThan(1)
    expect(result.singularValues[1]).toBeLessThan(1e-14)
    expect(distance(rebuilt(result), original({ a, b }))).toBeLessThan(1e-13)
    expectSameRowSpace(a, result)
  })

  it('never moves the row space of A', () => {
    fc.assert(
      fc.property(layers, (layer) => {
        const { r } = thinQr(transpose(fromRowMajor(layer.rank, layer.dIn, layer.a.data)))
        const pivots = Array.from({ length: layer.rank }, (_, index) => Math.abs(r.data[index * layer.rank + index]!))
        fc.pre(Math.min(...pivots) > 1e-2)
        expectSameRowSpace(layer.a, refactoriseLayer(layer.a, layer.b))
      }),
    )
  })

  it('is deterministic and idempotent: a second re-factorisation changes nothing but rounding', () => {
    const schema = {
      rank: 2,
      alpha: 2,
      headMode: 'frozen' as const,
      head: [],
      layers: [{ name: 'layer', dIn: 4, dOut: 3 }],
    }
    const state = {
      basis: 3,
      head: [],
      a: [tensor('layer.lora_A.weight', [2, 4], [1, -2, 0, 1, 0, 1, 3, -1])],
      b: [tensor('layer.lora_B.weight', [3, 2], [1, 2, 0, -1, 4, 1])],
    }
    const once = refactorise(schema, state)
    const twice = refactorise(schema, once.state)
    expect(once.state.basis).toBe(4)
    expect(refactorise(schema, state)).toEqual(once)
    for (const [index, value] of twice.state.a[0]!.data.entries())
      expect(value).toBeCloseTo(once.state.a[0]!.data[index]!, 6)
    for (const [index, value] of twice.state.b[0]!.data.entries())
      expect(value).toBeCloseTo(once.state.b[0]!.data[index]!, 5)
  })

  it('refuses NaN instead of spreading it', () => {
    expect(() => refactoriseLayer(tensor('a', [1, 2], [1, 0]), tensor('b', [2, 1], [Number.NaN, 1]))).toThrow(/finite/)
  })
})

function expectSameRowSpace(a: NamedTensor, { aTransposed }: Refactorised): void {
  // every row of A equals its projection on the rows of A'
  const rows = transpose(fromRowMajor(a.shape[0]!, a.shape[1]!, a.data))
  const projected = multiply(aTransposed, multiply(transpose(aTransposed), rows))
  expect(distance(projected, rows)).toBeLessThan(1e-12 * (1 + frobenius(rows)))
}

describe('factors with entries at the end of what float32 can hold', () => {
  it('are re-factorised, not given up on', () => {
    const a = tensor('a', [2, 3], [1, 0, 0, 0, 1, 0])
    const b = tensor('b', [3, 2], [0, 2.2e-34, -0.037, 0, -2.1e-37, 0])
    const { singularValues } = refactoriseLayer(a, b)
    expect(singularValues[0]).toBeCloseTo(0.037, 8)
    expect(singularValues[1]).toBeLessThan(1e-33)
  })
})
