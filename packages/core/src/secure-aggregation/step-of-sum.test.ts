import { SimulatedSum } from '@fedsvd/testing/core/secure-aggregation'
import { describe, expect, it } from 'vitest'
import { gridOf } from '../privacy/index.ts'
import { stepOfSum } from './step-of-sum.ts'

const specs = [
  { name: 'b', shape: [2, 2] },
  { name: 'head', shape: [1] },
]
const terms = { specs, clipNorm: 0.5, learningRate: 0.1, expectedLots: 128 + 64 + 32 }

describe('a step by the sum of the survivors', () => {
  it('is the step of one site with all of their records and noise', async () => {
    const sum = new SimulatedSum(3)
    sum.advertise()
    await sum.share(sum.sites)
    sum.receive(sum.sites)
    const noised = [
      [2 ** 18, -5, 7, 0, 40_000],
      [-3, 2 ** 20, 1, -(2 ** 19), 2],
      [11, -13, 17, 19, -23],
    ]
    sum.upload(sum.sites, (place) => Float64Array.from(noised[place]!))
    sum.ask(sum.sites)
    const [b, head] = stepOfSum(await sum.open(), terms)
    const all = noised[0]!.map((_, i) => noised.reduce((total, values) => total + values[i]!, 0))
    const expected = all.map((value) => Math.fround((-0.1 * value * gridOf(0.5)) / 224))
    const values = [...b!.data, ...head!.data]
    for (const [i, value] of values.entries()) expect(value / expected[i]!).toBeCloseTo(1, 6)
    expect([b!.name, b!.shape, head!.shape]).toEqual(['b', [2, 2], [1]])
  })

  it('is refused for a sum of another length, no expected lots, and what float32 cannot hold', () => {
    expect(() => stepOfSum(new Float64Array(4), terms)).toThrow(/SHAPE_MISMATCH/)
    expect(() => stepOfSum(new Float64Array(5), { ...terms, expectedLots: 0 })).toThrow(/SHAPE_MISMATCH/)
    const huge = { ...terms, learningRate: 1e6, clipNorm: 1e38 }
    expect(() => stepOfSum(new Float64Array(5).fill(2 ** 60), huge)).toThrow(/NOT_FINITE/)
  })
})
