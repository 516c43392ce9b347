import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sizeOf, type TensorSpec } from '../tensor/index.ts'
import { beginClippedSum, type ClippedSum, gridSumOf } from './clipped-sum.ts'
import { GRID_BITS, squaredBound } from './sensitivity.ts'

const SPECS: readonly TensorSpec[] = [
  { name: 'b', shape: [3, 2] },
  { name: 'head', shape: [4] },
]

const dimensionOf = (specs: readonly TensorSpec[]) => specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** The sum of squares of integers, by integers that do not round. NaN and fractions throw. */
const exactSquares = (gridSum: readonly Float64Array[]): bigint =>
  gridSum.reduce((sum, part) => part.reduce((inner, value) => inner + BigInt(value) ** 2n, sum), 0n)

function sumOf(
  specs: readonly TensorSpec[],
  clipNorm: number,
  ...records: (readonly (Float32Array | Float64Array)[])[]
) {
  const sum = beginClippedSum({ specs, clipNorm })
  for (const gradient of records) sum.add(gradient)
  return sum.finish()
}

const wide = (size: number): readonly TensorSpec[] => [{ name: 'w', shape: [size] }]
const isZero = ({ gridSum }: ClippedSum) => gridSum.every((part) => part.every((value) => value === 0))

describe('the bound on one record', () => {
  it('is the very one that the noise is scaled by, where the squares of the norm underflow and nothing is clipped', () => {
    const clipNorm = 1e-201
    const contribution = (share: number) => sumOf(wide(1), clipNorm, [Float64Array.of(share * clipNorm)])
    expect(contribution(1).gridSum[0]![0]).toBe(2 ** GRID_BITS)
    for (const share of [1 + 2 ** -16, 1.5, 1.99]) {
      expect(contribution(share)).toMatchObject({ leftOut: 1 })
      expect(isZero(contribution(share))).toBe(true)
    }
  })

  const anything = fc.oneof(
    fc.double({ min: -3, max: 3, noNaN: true }),
    fc.double(),
    fc.constantFrom(
      0,
      -0,
      1e-45,
      -1e-40,
      1.4e-45,
      3.4e38,
      -3.4e38,
      1e-323,
      1e308,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ),
  )
  const clipNorms = fc.oneof(
    fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
    fc.double({ min: -260, max: 260, noNaN: true }).map((power) => 10 ** power),
    fc.constantFrom(1e-30, 1e-45, 1e-38, 1e38),
  )
  const values = fc.array(anything, { minLength: 10, maxLength: 10 })

  it('holds for every gradient and every clip norm, in exact arithmetic; what is outside it is zeros', () => {
    const bound = BigInt(squaredBound({ dimension: 10, gridBits: GRID_BITS }))
    fc.assert(
      fc.property(values, clipNorms, fc.boolean(), (given, clipNorm, isSingle) => {
        const [b, head] = [given.slice(0, 6), given.slice(6)].map((part) =>
          isSingle ? Float32Array.from(part) : Float64Array.from(part),
        )
        const sum = sumOf(SPECS, clipNorm, [b!, head!])
        expect(exactSquares(sum.gridSum) <= bound).toBe(true)
        expect(Math.abs(sum.votes)).toBe(1)
        if (sum.leftOut === 1) expect(isZero(sum)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  it('moves a lot by its own integers and by one vote, whatever the lot is', () => {
    const record = values.map((given) => [Float32Array.from(given.slice(0, 6)), Float32Array.from(given.slice(6))])
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), record, clipNorms, (others, own, clipNorm) => {
        const [without, withIt, alone] = [
          sumOf(SPECS, clipNorm, ...others),
          sumOf(SPECS, clipNorm, own, ...others),
          sumOf(SPECS, clipNorm, own),
        ]
        for (const [t, part] of withIt.gridSum.entries()) {
          expect(part).toEqual(alone.gridSum[t]!.map((value, i) => value + without.gridSum[t]![i]!))
        }
        expect(withIt.votes - without.votes).toBe(alone.votes)
        expect(Math.abs(alone.votes)).toBe(1)
      }),
      { numRuns: 1000 },
    )
  })

  it('leaves no record of finite float32 gradients out: the margin of the clip is enough', () => {
    const finite = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, 1e-45, 3.4e38, -3.4e38, 1e-20),
    )
    fc.assert(
      fc.property(fc.array(finite, { minLength: 10, maxLength: 10 }), clipNorms, (given, clipNorm) => {
        const parts = [Float32Array.from(given.slice(0, 6)), Float32Array.from(given.slice(6))]
        expect(sumOf(SPECS, clipNorm, parts).leftOut).toBe(0)
      }),
      { numRuns: 5000 },
    )
  })

  it.each<[string, number, (at: number, size: number) => number]>([
    ['all equal', 768 * 768, () => 0.37],
    ['all equal', 16_800_000, () => 0.37],
    ['rounded up everywhere', 768 * 768, (_, size) => (Math.floor(2 ** 18 / Math.sqrt(size)) + 0.51) / 2 ** 18],
    ['rounded up everywhere', 2 ** 22, (_, size) => (Math.floor(2 ** 18 / Math.sqrt(size)) + 0.51) / 2 ** 18],
    ['one large among small', 2 ** 20, (at) => (at === 12_345 ? 1e4 : 1e-4)],
    ['irregular', 768 * 768, (at) => Math.sin(12.9898 * at)],
  ])('leaves no honest record out, and clips it to the clip norm: %s, of %d scalars', (_, size, valueAt) => {
    const data = new Float32Array(size)
    for (let at = 0; at < size; at++) data[at] = valueAt(at, size)
    const { gridSum, leftOut } = sumOf(wide(size), 1, [data])
    expect(leftOut).toBe(0)
    let squares = 0
    for (const value of gridSum[0]!) squares += value * value
    expect(squares).toBeLessThanOrEqual(squaredBound({ dimension: size, gridBits: GRID_BITS }))
    expect(Math.sqrt(squares)).toBeGreaterThan(0.99 * 2 ** GRID_BITS - Math.sqrt(size) / 2)
  })

  it('covers one enormous tensor among a million tiny ones', () => {
    const specs = [...Array.from({ length: 100_000 }, (_, t) => ({ name: `t${t}`, shape: [1] })), ...wide(2 ** 20)]
    const gradient = specs.map(({ shape }) => new Float32Array(sizeOf(shape)).fill(3e30))
    const sum = sumOf(specs, 1e-10, gradient)
    expect(sum.leftOut).toBe(0)
    expect(
      exactSquares(sum.gridSum) <= BigInt(squaredBound({ dimension: dimensionOf(specs), gridBits: GRID_BITS })),
    ).toBe(true)
  })

  it('leaves out what a wrong norm would have let through: float64 gradients whose squares vanish', () => {
    const tiny = new Float64Array(4).fill(1e-200)
    const sum = sumOf(wide(4), 1e-250, [tiny])
    expect([sum.leftOut, isZero(sum)]).toEqual([1, true])
  })

  it('trap: NaN and infinity pass the clip. The record contributes zeros, by selection', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const good = [new Float32Array(6).fill(0.1), new Float32Array(4)]
      const sum = sumOf(SPECS, 1, good, [new Float32Array(6), Float32Array.of(0, 0, bad, 0)], good)
      expect(sum.gridSum).toEqual(sumOf(SPECS, 1, good, good).gridSum)
      expect([sum.records, sum.leftOut, sum.votes]).toEqual([3, 1, 1])
    }
  })
})

describe('a clipped sum', () => {
  it('of a window is that of a gradient which is zero outside of it', () => {
    const window = beginClippedSum({ specs: SPECS, clipNorm: 0.5 })
    window.addWindow(0, 2, Float32Array.of(3, -4))
    const whole = sumOf(SPECS, 0.5, [Float32Array.of(0, 0, 3, -4, 0, 0), new Float32Array(4)])
    expect(window.finish().gridSum).toEqual(whole.gridSum)
    const outside = beginClippedSum({ specs: SPECS, clipNorm: 1 })
    expect(() => outside.addWindow(1, 3, Float32Array.of(1, 1))).toThrow('SHAPE_MISMATCH')
    expect(() => outside.addWindow(2, 0, Float32Array.of(1))).toThrow('SHAPE_MISMATCH')
  })

  it('is made once, of gradients of the right sizes', () => {
    const sum = beginClippedSum({ specs: SPECS, clipNorm: 1 })
    expect(() => sum.add([new Float32Array(6)])).toThrow('SHAPE_MISMATCH')
    expect(() => sum.add([new Float32Array(4), new Float32Array(6)])).toThrow('SHAPE_MISMATCH')
    expect(sum.finish().records).toBe(0)
    for (const late of [() => sum.add([]), () => sum.leaveOut(), () => sum.finish()]) expect(late).toThrow('STEP_ORDER')
    expect(() => beginClippedSum({ specs: [], clipNorm: 1 })).toThrow('SHAPE_MISMATCH')
  })

  it('cannot be changed from outside, nor be made by a cast', () => {
    const terms = { specs: SPECS, clipNorm: 1 }
    const sum = sumOf(SPECS, 1, [new Float32Array(6).fill(1), new Float32Array(4)])
    const before = gridSumOf(sum, terms).map((part) => [...part])
    sum.gridSum[0]!.fill(2 ** 40)
    expect(gridSumOf(sum, terms).map((part) => [...part])).toEqual(before)
    expect(() => Object.assign(sum, { votes: 10 })).toThrow()
    for (const forged of [{ ...sum }, Object.create(Object.getPrototypeOf(sum) as object), sum.gridSum, undefined]) {
      expect(() => gridSumOf(forged as ClippedSum, terms)).toThrow('NOISE_INVALID')
    }
  })
})

describe('records that are added in pieces', () => {
  const specs = [...wide(1_200_000), { name: 'head', shape: [7] }]
  const gradient = (scale: number) =>
    specs.map(({ shape }) => Float32Array.from({ length: sizeOf(shape) }, (_, i) => scale * Math.sin(i)))
  const records = [gradient(1e-6), gradient(3), gradient(Number.NaN), gradient(3.4e38)]

  it('make the sum that they make in one go, bit for bit, with a turn every 524,288 entries', async () => {
    let turns = 0
    const sum = beginClippedSum({ specs, clipNorm: 0.7 }, async () => {
      turns += 1
    })
    for (const record of records) await sum.addInPieces(record)
    const { gridSum, leftOut, votes } = sum.finish()
    const whole = sumOf(specs, 0.7, ...records)
    expect(gridSum).toEqual(whole.gridSum)
    expect({ leftOut, votes }).toEqual({ leftOut: whole.leftOut, votes: whole.votes })
    expect(turns).toBeGreaterThan((3 * 3 * 1_200_000) / 2 ** 19)
  })

  it('are added one at a time: a call that comes meanwhile is refused, and changes nothing', async () => {
    let refused = 0
    const sum = beginClippedSum({ specs, clipNorm: 0.7 }, async () => {
      await expect(sum.addInPieces(records[0]!)).rejects.toThrow('STEP_ORDER')
      const window = () => sum.addWindow(1, 0, Float32Array.of(1))
      for (const call of [() => sum.add(records[0]!), window, () => sum.leaveOut(), () => sum.finish()]) {
        expect(call).toThrow('STEP_ORDER')
      }
      refused += 1
    })
    await sum.addInPieces(records[1]!)
    expect(refused).toBeGreaterThan(2)
    expect(sum.finish().gridSum).toEqual(sumOf(specs, 0.7, records[1]!).gridSum)
  })
})
