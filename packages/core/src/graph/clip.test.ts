import { describe, expect, it } from 'vitest'
import { BATCH, clippedGridSum, GraphBuilder, interpret } from './index.ts'
import { waveTensor } from './testing/index.ts'

const GRID_BITS = 10

/** The graph of clip.ts over two trained tensors, the second of them held transposed. */
function run(a: Float64Array, b: Float64Array, clipNorm: number) {
  const g = new GraphBuilder()
  const [valueA, valueB] = [g.input('a', 'float32', [BATCH, 2]), g.input('b', 'float32', [BATCH, 3, 2])]
  const gradients = [
    { parameter: g.input('A', 'float32', [2]), value: valueA, transposed: false },
    { parameter: g.input('B', 'float32', [2, 3]), value: valueB, transposed: true },
  ]
  const { sums, norms } = clippedGridSum(g, gradients, g.input('clipNorm', 'float32', []), GRID_BITS)
  const graph = g.build({ sumA: sums[0]!, sumB: sums[1]!, norms })
  const records = a.length / 2
  const results = interpret(graph, {
    a: { shape: [records, 2], data: a },
    b: { shape: [records, 3, 2], data: b },
    clipNorm: { shape: [], data: Float64Array.of(clipNorm) },
  })
  return {
    sumA: [...results.sumA!.data],
    sumB: { shape: results.sumB!.shape, data: [...results.sumB!.data] },
    norms: [...results.norms!.data],
  }
}

const zeros = new Float64Array(6)

describe('clippedGridSum', () => {
  it('scales a record down to clipNorm: (3, 4) has norm 5, so clipNorm 1 leaves (0.6, 0.8) of 1024 units', () => {
    const { sumA, norms } = run(Float64Array.of(3, 4), zeros, 1)
    expect(norms).toEqual([5])
    expect(sumA).toEqual([Math.round(0.6 * 1024), Math.round(0.8 * 1024)])
  })

  it('leaves a record within clipNorm as it is: (0.3, 0.4) with clipNorm 2 is (154, 205) units of 2/1024', () => {
    const { sumA } = run(Float64Array.of(0.3, 0.4), zeros, 2)
    expect(sumA).toEqual([Math.round((0.3 * 1024) / 2), Math.round((0.4 * 1024) / 2)])
  })

  it('takes one norm over all tensors: sqrt(1 + 1 + 6 * 1/6) = sqrt 3', () => {
    const { norms } = run(
      Float64Array.of(1, 1),
      zeros.map(() => Math.sqrt(1 / 6)),
      1,
    )
    expect(norms[0]).toBeCloseTo(Math.sqrt(3), 12)
  })

  it('gives a zero gradient a contribution of zero, not NaN', () => {
    const { sumA, sumB, norms } = run(Float64Array.of(0, 0), zeros, 1)
    expect([norms, sumA, sumB.data]).toEqual([[0], [0, 0], [0, 0, 0, 0, 0, 0]])
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('shows %s in the norm', (value) => {
    expect(run(Float64Array.of(value, 0), zeros, 1).norms[0]).toBe(value)
  })

  it('rounds every record before it sums: three times 0.4 of a unit is 0, not 1', () => {
    const unit = 2 ** -GRID_BITS
    const { sumA } = run(Float64Array.of(0.4 * unit, 0, 0.4 * unit, 0, 0.4 * unit, 0), new Float64Array(18), 1)
    expect(sumA[0]).toBe(0)
  })

  it('returns sums in the layout of the parameter', () => {
    const { shape, data } = run(Float64Array.of(0, 0), Float64Array.of(1, 2, 3, 4, 5, 6), 1024).sumB
    expect(shape).toEqual([2, 3])
    expect(data).toEqual([1, 3, 5, 2, 4, 6])
  })

  it('is a sum over records: running them one by one adds up to the same integers', () => {
    const records = 5
    const [a, b] = [waveTensor(1, [records, 2]).data, waveTensor(2, [records, 3, 2]).data]
    const together = run(a, b, 0.5)
    const apart = Array.from({ length: records }, (_, n) =>
      run(a.slice(2 * n, 2 * n + 2), b.slice(6 * n, 6 * n + 6), 0.5),
    )
    const added = together.sumB.data.map((_, index) => apart.reduce((sum, { sumB }) => sum + sumB.data[index]!, 0))
    expect(together.sumB.data).toEqual(added)
    expect(together.norms).toEqual(apart.flatMap(({ norms }) => norms))
  })
})
