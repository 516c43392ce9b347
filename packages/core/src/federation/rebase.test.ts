import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromRowMajor, multiply } from '../linalg/index.ts'
import type { AdapterSchema, AdapterState } from '../lora/index.ts'
import type { NamedTensor } from '../tensor/index.ts'
import { rebase, stalenessWeight } from './rebase.ts'
import { serverStep } from './server-step.ts'

const [rank, dIn, dOut] = [3, 7, 5]
const head = { name: 'classifier.weight', shape: [2, 4] }
const schema: AdapterSchema = {
  rank,
  alpha: rank,
  headMode: 'trained',
  head: [head],
  layers: [
    { name: 'query', dIn, dOut },
    { name: 'value', dIn, dOut },
  ],
}

const values = (length: number) =>
  fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: length, maxLength: length })
const tensor = (name: string, shape: readonly number[], data: readonly number[]): NamedTensor => {
  return { name, shape: [...shape], data: Float32Array.from(data) }
}
const arbitraryDelta = fc
  .tuple(values(dOut * rank), values(dOut * rank), values(8))
  .map(([query, value, top]) => [
    tensor('query.lora_B.weight', [dOut, rank], query),
    tensor('value.lora_B.weight', [dOut, rank], value),
    tensor(head.name, head.shape, top),
  ])
/** A first A of any scale: kaiming's rows are not orthonormal. */
const arbitraryStart = fc.tuple(values(rank * dIn), values(rank * dIn), fc.constantFrom(0.01, 1, 30)).map(
  ([query, value, scale]): AdapterState => ({
    basis: 0,
    a: [query, value].map((data, index) => {
      const rows = data.map((entry, k) => scale * (entry + (k % (dIn + 1) === 0 ? 2 : 0))) // full rank
      return tensor(`${schema.layers[index]!.name}.lora_A.weight`, [rank, dIn], rows)
    }),
    b: schema.layers.map(({ name }) => tensor(`${name}.lora_B.weight`, [dOut, rank], Array(dOut * rank).fill(0))),
    head: [tensor(head.name, head.shape, Array(8).fill(0))],
  }),
)
const arbitraryRun = fc.tuple(arbitraryStart, fc.array(arbitraryDelta, { minLength: 1, maxLength: 4 }))

/** All published states of a run in which these were the means. */
function statesOf(start: AdapterState, means: readonly NamedTensor[][], method: 'fedsvd' | 'ffa-lora' = 'fedsvd') {
  const states = [start]
  for (const mean of means) {
    states.push(serverStep({ manifest: { method, adapter: schema }, state: states.at(-1)!, mean }).state)
  }
  return states
}

/** What a delta does to the weights of a layer: delta B A, row-major dOut x dIn in float64. */
function effect(delta: readonly NamedTensor[], { a }: AdapterState, layer: number): Float64Array {
  const left = fromRowMajor(dOut, rank, delta[layer]!.data)
  return multiply(left, fromRowMajor(rank, dIn, a[layer]!.data)).data
}

function expectSame(got: Float64Array, expected: Float64Array): void {
  const scale = Math.max(1e-30, Math.hypot(...expected))
  expect(Math.hypot(...got.map((value, index) => value - expected[index]!)) / scale).toBeLessThan(1e-5)
}

describe('an update that moves to a later basis', () => {
  it('does to the weights what it did in its own: delta B_v A_v = delta B_w A_w', () => {
    fc.assert(
      fc.property(arbitraryRun, arbitraryDelta, ([start, means], delta) => {
        const states = statesOf(start, means)
        for (const [v, from] of states.entries()) {
          for (const to of states.slice(v + 1)) {
            const moved = rebase({ schema, from, to, delta })
            for (const layer of schema.layers.keys()) expectSame(effect(moved, to, layer), effect(delta, from, layer))
            expect(moved[2]).toEqual(delta[2]) // the head has no basis
          }
        }
      }),
    )
  })

  it('goes by the product of the rotations in between: step by step is the same as at once', () => {
    fc.assert(
      fc.property(arbitraryRun, arbitraryDelta, ([start, means], delta) => {
        const states = statesOf(start, means)
        const step = (moved: NamedTensor[], index: number) =>
          rebase({ schema, from: states[index]!, to: states[index + 1]!, delta: moved })
        const stepped = means.map((_, index) => index).reduce(step, delta)
        const direct = rebase({ schema, from: states[0]!, to: states.at(-1)!, delta })
        for (const layer of schema.layers.keys()) {
          expectSame(effect(stepped, states.at(-1)!, layer), effect(direct, states.at(-1)!, layer))
        }
      }),
    )
  })

  it('keeps its norm between re-factorised bases, and would be another update if it did not move', () => {
    fc.assert(
      fc.property(arbitraryRun, arbitraryDelta, ([start, means], delta) => {
        const states = statesOf(start, [...means, delta])
        const [from, to] = [states[1]!, states.at(-1)!]
        const moved = rebase({ schema, from, to, delta })
        expect(Math.hypot(...moved[0]!.data)).toBeCloseTo(Math.hypot(...delta[0]!.data), 4)
      }),
    )
    const start = statesOf(...fc.sample(arbitraryRun, { seed: 5, numRuns: 1 })[0]!)
    const [delta] = fc.sample(arbitraryDelta, { seed: 6, numRuns: 1 })
    const [left, right] = [effect(delta!, start[0]!, 0), effect(delta!, start.at(-1)!, 0)]
    expect(Math.hypot(...left.map((value, index) => value - right[index]!))).toBeGreaterThan(0.1 * Math.hypot(...left))
  })

  it('moves into a space that was filled up: a first A without full rank', () => {
    const row = [1, 2, 0, 1, 0, 0, 3]
    const deficient = [...row, ...row.map((entry) => 2 * entry), ...Array(dIn).fill(0)]
    const [sample] = fc.sample(arbitraryRun, { seed: 7, numRuns: 1 })
    const start = {
      ...sample![0],
      a: sample![0].a.map((factor) => ({ ...factor, data: Float32Array.from(deficient) })),
    }
    const [delta] = fc.sample(arbitraryDelta, { seed: 8, numRuns: 1 })
    const states = statesOf(start, sample![1])
    const moved = rebase({ schema, from: start, to: states.at(-1)!, delta: delta! })
    expectSame(effect(moved, states.at(-1)!, 0), effect(delta!, start, 0))
  })

  it('stays as it is where the basis does (ffa-lora), but for its weight', () => {
    fc.assert(
      fc.property(arbitraryRun, arbitraryDelta, ([start, means], delta) => {
        const states = statesOf(start, means, 'ffa-lora')
        expect(rebase({ schema, from: start, to: states.at(-1)!, delta })).toEqual(delta)
        const half = rebase({ schema, from: start, to: states.at(-1)!, delta, weight: 0.5 })
        expect(half.map(({ data }) => Array.from(data))).toEqual(
          delta.map(({ data }) => Array.from(data, (value) => Math.fround(0.5 * value))),
        )
      }),
    )
  })

  it('is scaled by a public weight, head and factors alike', () => {
    const [run] = fc.sample(arbitraryRun, { seed: 9, numRuns: 1 })
    const [delta] = fc.sample(arbitraryDelta, { seed: 10, numRuns: 1 })
    const states = statesOf(...run!)
    const [from, to] = [states[0]!, states.at(-1)!]
    const whole = rebase({ schema, from, to, delta: delta! })
    const quarter = rebase({ schema, from, to, delta: delta!, weight: 0.25 })
    for (const [index, { data }] of quarter.entries()) {
      expect(Array.from(data)).toEqual(Array.from(whole[index]!.data, (value) => Math.fround(0.25 * value)))
    }
  })

  it('is refused between states that are not of one run', () => {
    const [one, other] = fc.sample(arbitraryRun, { seed: 11, numRuns: 2 })
    const [delta] = fc.sample(arbitraryDelta, { seed: 12, numRuns: 1 })
    const [from, to] = [statesOf(...one!)[0]!, statesOf(...other!).at(-1)!]
    expect(() => rebase({ schema, from, to, delta: delta! })).toThrow(/ADAPTER_INVALID/)
  })
})

describe('the weight of a stale update', () => {
  it('worked out by hand', () => {
    expect([0, 1, 3].map((staleness) => stalenessWeight(staleness, 0.5))).toEqual([1, 2 ** -0.5, 0.5])
    expect([0, 1, 3].map((staleness) => stalenessWeight(staleness, 1))).toEqual([1, 0.5, 0.25])
    expect([0, 1, 9].map((staleness) => stalenessWeight(staleness, 0))).toEqual([1, 1, 1])
  })
})
