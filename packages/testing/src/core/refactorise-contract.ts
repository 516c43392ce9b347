import { fillGaussian, seededSource } from '@fedsvd/core/random'
import type { NamedTensor } from '@fedsvd/core/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refactorise } from '../../../core/src/lora/refactorise.ts'
import type { DeviceRefactorised } from '../../../core/src/lora/refactorise-on-device.ts'
import type { AdapterSchema, AdapterState } from '../../../core/src/lora/schema.ts'

/** A way to re-factorise, and what it promises. */
export interface RefactoriseRoute {
  readonly refactorise: (schema: AdapterSchema, state: AdapterState) => Promise<DeviceRefactorised>
  /** Of ||B'A' - BA|| beside ||B|| ||A||. */
  readonly product: number
  /** Of the largest entry of A'A'^T - I, and of the cosines between columns of B'. */
  readonly orthonormality: number
  /** True where a layer may have to go through the exact route. */
  readonly mayFallBack: boolean
}

interface Sizes {
  readonly rank: number
  readonly dIn: number
  readonly dOut: number
}

/** A schema and a state of layers with these factors: A row-major rank x dIn, B row-major dOut x rank. */
export function layersOf(
  { rank, dIn, dOut }: Sizes,
  factors: readonly { readonly a: ArrayLike<number>; readonly b: ArrayLike<number> }[],
): { schema: AdapterSchema; state: AdapterState } {
  const layers = factors.map((_, index) => ({ name: `layer.${index}`, dIn, dOut }))
  const tensor = (name: string, shape: number[], data: ArrayLike<number>): NamedTensor => {
    return { name, shape, data: Float32Array.from(data) }
  }
  return {
    schema: { rank, alpha: rank, headMode: 'frozen', head: [], layers },
    state: {
      basis: 0,
      head: [],
      a: factors.map(({ a }, index) => tensor(`layer.${index}.lora_A.weight`, [rank, dIn], a)),
      b: factors.map(({ b }, index) => tensor(`layer.${index}.lora_B.weight`, [dOut, rank], b)),
    },
  }
}

/** Standard normal numbers that hang on their key alone. */
function normal(count: number, key: string): Float64Array {
  const values = new Float64Array(count)
  fillGaussian(seededSource('refactorise-contract', key), values)
  return values
}

/**
 * A random factor, its direction `i` scaled by `scales(i)` and then mixed by a reflection: a spectrum that no entry
 * shows.
 */
function graded(long: number, rank: number, key: string, scale: (index: number) => number): Float64Array {
  const rows = normal(long * rank, key)
  const mirror = normal(rank, `${key} mirror`)
  const square = mirror.reduce((sum, value) => sum + value * value, 0)
  for (let row = 0; row < long; row += 1) {
    const values = rows.subarray(row * rank, (row + 1) * rank)
    for (let index = 0; index < rank; index += 1) values[index] = values[index]! * scale(index)
    const along = values.reduce((sum, value, index) => sum + value * mirror[index]!, 0)
    for (let index = 0; index < rank; index += 1) values[index] = values[index]! - (2 * along * mirror[index]!) / square
  }
  return rows
}

function transposed(rows: number, columns: number, values: Float64Array): Float64Array {
  return Float64Array.from(values, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!)
}

/** Everything that the re-factorisation promises of each layer, in float64. */
function expectRefactorised(
  route: RefactoriseRoute,
  { schema, state }: { schema: AdapterSchema; state: AdapterState },
  result: DeviceRefactorised,
): void {
  const { rank } = schema
  const exact = refactorise(schema, state)
  expect(result.state.basis).toBe(state.basis + 1)
  for (const [index, { dIn, dOut }] of schema.layers.entries()) {
    const [a, b] = [result.state.a[index]!, result.state.b[index]!]
    const [before, after] = [state, result.state].map((of) => productOf(of, index, { rank, dIn, dOut }))
    const size = norm(state.a[index]!.data) * norm(state.b[index]!.data)
    expect(distance(before!, after!)).toBeLessThanOrEqual(route.product * size)
    const [rows, columns] = [
      Array.from({ length: rank }, (_, row) => Float64Array.from(a.data.subarray(row * dIn, (row + 1) * dIn))),
      Array.from({ length: rank }, (_, at) =>
        Float64Array.from({ length: dOut }, (_, row) => b.data[row * rank + at]!),
      ),
    ]
    const spectrum = result.spectra[index]!
    // The exact route's own rounding of what is zero may be as large as this.
    const nothing = route.orthonormality * spectrum[0]!
    for (let left = 0; left < rank; left += 1) {
      const largest = rows[left]!.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0)
      expect(largest).toBeGreaterThan(0)
      expect(Math.abs(spectrum[left]! - exact.spectra[index]![left]!)).toBeLessThanOrEqual(
        Math.max(1e-37, 3 * route.product * size),
      )
      expect(norm(columns[left]!)).toBeCloseTo(spectrum[left]!, -Math.log10(1e-6 * Math.max(spectrum[0]!, 1e-30)))
      if (left > 0) expect(spectrum[left]!).toBeLessThanOrEqual(spectrum[left - 1]!)
      for (let right = 0; right <= left; right += 1) {
        expect(Math.abs(dot(rows[left]!, rows[right]!) - (left === right ? 1 : 0))).toBeLessThanOrEqual(
          route.orthonormality,
        )
        if (left === right || spectrum[left]! <= nothing) continue
        const cosine = dot(columns[left]!, columns[right]!) / (spectrum[left]! * spectrum[right]!)
        expect(Math.abs(cosine)).toBeLessThanOrEqual(route.orthonormality)
      }
    }
  }
}

function productOf({ a, b }: AdapterState, index: number, { rank, dIn, dOut }: Sizes): Float64Array {
  const product = new Float64Array(dOut * dIn)
  for (let row = 0; row < dOut; row += 1) {
    for (let inner = 0; inner < rank; inner += 1) {
      const factor = b[index]!.data[row * rank + inner]!
      for (let at = 0; at < dIn; at += 1) product[row * dIn + at]! += factor * a[index]!.data[inner * dIn + at]!
    }
  }
  return product
}

const dot = (left: Float64Array, right: Float64Array) => left.reduce((sum, value, at) => sum + value * right[at]!, 0)
const norm = (values: ArrayLike<number>) => {
  let sum = 0
  for (let at = 0; at < values.length; at += 1) sum += values[at]! ** 2
  return Math.sqrt(sum)
}
const distance = (left: Float64Array, right: Float64Array) => norm(left.map((value, at) => value - right[at]!))

const SLOW = { timeout: 300_000 }

/** What any route of the re-factorisation promises, to its own tolerances. */
export function refactoriseContract(
  name: string,
  open: () => Promise<RefactoriseRoute>,
  ranks: readonly number[] = [64],
): void {
  describe(`re-factorisation by ${name}`, () => {
    const route = open()
    const check = async (layers: ReturnType<typeof layersOf>) => {
      const used = await route
      const result = await used.refactorise(layers.schema, layers.state)
      expectRefactorised(used, layers, result)
      return result
    }

    // Sixty shapes are hundreds of kernels, which a software adapter of WebGPU compiles one after the other.
    it('keeps the product, makes A orthonormal and B orthogonal, for any entries and scales', SLOW, async () => {
      const entries = (count: number) =>
        fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: count, maxLength: count })
      const sizes = fc.record({
        rank: fc.integer({ min: 1, max: 6 }),
        extraIn: fc.integer({ min: 0, max: 9 }),
        extraOut: fc.integer({ min: 0, max: 9 }),
        scale: fc.constantFrom(1e-30, 1e-6, 1, 1e6, 1e30),
      })
      const layers = sizes.chain(({ rank, extraIn, extraOut, scale }) => {
        const [dIn, dOut] = [rank + extraIn, rank + extraOut]
        return fc
          .record({ a: entries(rank * dIn), b: entries(dOut * rank) })
          .map(({ a, b }) => layersOf({ rank, dIn, dOut }, [{ a, b: b.map((value) => value * scale) }]))
      })
      await fc.assert(
        fc.asyncProperty(layers, async (layer) => void (await check(layer))),
        { numRuns: 60 },
      )
    })

    const sizes = { rank: 8, dIn: 96, dOut: 70 }
    const plain = (key: string) => ({
      a: normal(sizes.rank * sizes.dIn, `${key} a`).map((value) => value / 10),
      b: normal(sizes.dOut * sizes.rank, `${key} b`),
    })
    const unchanged = () => 1

    it('takes many layers of several shapes at once, each as if it were alone', async () => {
      const many = layersOf(sizes, [plain('first'), plain('second'), plain('third')])
      const other = { rank: 8, dIn: 40, dOut: 33 }
      const wide = layersOf(other, [{ a: normal(8 * 40, 'wide a'), b: normal(33 * 8, 'wide b') }])
      const both = {
        schema: {
          ...many.schema,
          layers: [many.schema.layers[0]!, ...wide.schema.layers, ...many.schema.layers.slice(1)],
        },
        state: {
          ...many.state,
          a: [many.state.a[0]!, ...wide.state.a, ...many.state.a.slice(1)],
          b: [many.state.b[0]!, ...wide.state.b, ...many.state.b.slice(1)],
        },
      }
      expect((await check(both)).fallbacks).toEqual([])
    })

    it('makes A orthonormal where B is still zero', async () => {
      const { spectra, fallbacks } = await check(layersOf(sizes, [{ ...plain('zero'), b: new Float64Array(70 * 8) }]))
      expect(spectra[0]!.every((value) => value === 0)).toBe(true)
      expect(fallbacks).toEqual([])
    })

    it.each([1, 3, 7])('keeps A orthonormal where B has rank %i of 8', async (rank) => {
      await check(layersOf(sizes, [{ ...plain('low'), b: graded(70, 8, 'low', (index) => (index < rank ? 1 : 0)) }]))
    })

    it.each([2, 4, 8, 12])('holds spectra that are graded over %i decades', async (decades) => {
      const b = graded(sizes.dOut, 8, 'graded', (index) => 10 ** (-decades * (index / 7)))
      await check(layersOf(sizes, [{ ...plain('graded'), b }]))
    })

    it.each([1e1, 1e3, 1e5])('holds an A of condition %f', async (condition) => {
      const a = transposed(
        sizes.dIn,
        8,
        graded(sizes.dIn, 8, 'ill', (index) => condition ** (-index / 7)),
      )
      await check(layersOf(sizes, [{ ...plain('ill'), a }]))
    })

    it('does a layer whose A is rank-deficient, and says so where the exact route did it', async () => {
      const a = transposed(
        sizes.dIn,
        8,
        graded(sizes.dIn, 8, 'deficient', (index) => (index < 6 ? 1 : 0)),
      )
      const { fallbacks } = await check(layersOf(sizes, [plain('before'), { ...plain('deficient'), a }]))
      expect(fallbacks).toEqual((await route).mayFallBack ? ['layer.1'] : [])
    })

    it('leaves factors alone, but for rounding, that it has made itself', async () => {
      const { schema, state } = layersOf(sizes, [plain('again')])
      const once = await (await route).refactorise(schema, state)
      const twice = await (await route).refactorise(schema, once.state)
      for (const [at, value] of twice.state.a[0]!.data.entries()) {
        expect(value).toBeCloseTo(once.state.a[0]!.data[at]!, 4)
      }
    })

    it('gives the same bits again', async () => {
      const { schema, state } = layersOf(sizes, [plain('same'), plain('bits')])
      const { refactorise: again } = await route
      expect(await again(schema, state)).toEqual(await again(schema, state))
    })

    it.each([...ranks])('holds rank %i', { timeout: 120_000 }, async (rank) => {
      const tall = { rank, dIn: rank + 32, dOut: rank + 16 }
      const a = normal(rank * tall.dIn, 'tall a')
      // A random square A is ill-conditioned; one that stands above its noise is not.
      for (let index = 0; index < rank; index += 1) a[index * tall.dIn + index]! += 4 * Math.sqrt(rank)
      await check(layersOf(tall, [{ a, b: graded(tall.dOut, rank, 'tall b', unchanged) }]))
    })

    it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %f', async (value) => {
      const { b, a } = plain('refused')
      b[5] = value
      const { schema, state } = layersOf(sizes, [{ a, b }])
      await expect((await route).refactorise(schema, state)).rejects.toThrow(/finite/)
    })
  })
}
