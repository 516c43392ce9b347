import { describe, expect, it } from 'vitest'
import { fillGaussian, seededSource } from '../../random/index.ts'
import { inverseVarianceWeights } from './inverse-variance-mean.ts'
import { beginAggregation } from './rules.ts'

const DIMENSION = 4000
const specs = [{ name: 'b', shape: [DIMENSION] }]

function gaussian(seed: string, scale: number): Float32Array {
  const out = new Float32Array(DIMENSION)
  fillGaussian(seededSource(seed), out)
  return out.map((value) => scale * value)
}

/** Mean squared distance to the mean of what the clients would send without noise; exact in the limit of DIMENSION. */
function errorOf(name: string, noises: readonly number[], difference: number): number {
  const exact = noises.map((_, client) => gaussian(`client ${client}`, difference))
  const aggregation = beginAggregation(
    specs,
    { name },
    noises.map((noiseMultiplier) => ({ noiseMultiplier })),
  )
  for (const [client, noise] of noises.entries()) {
    const drawn = gaussian(`noise ${client}`, noise)
    aggregation.add([{ ...specs[0]!, data: exact[client]!.map((value, at) => value + drawn[at]!) }])
  }
  const { data } = aggregation.result()[0]!
  const target = data.map((_, at) => exact.reduce((sum, one) => sum + one[at]!, 0) / exact.length)
  return data.reduce((sum, value, at) => sum + (value - target[at]!) ** 2, 0) / DIMENSION
}

describe('weights by the inverse variance of the noise', () => {
  it('worked out by hand: at most 1, by the median', () => {
    expect(inverseVarianceWeights([1, 1, 2].map((noiseMultiplier) => ({ noiseMultiplier })))).toEqual([1, 1, 0.25])
    expect(inverseVarianceWeights([0.1, 1, 1, 4].map((noiseMultiplier) => ({ noiseMultiplier })))).toEqual([
      1, 1, 1, 0.0625,
    ])
    expect(inverseVarianceWeights([])).toEqual([])
  })

  it('make the noise of a round smaller where one client of three needs twice as much: 4/9 in place of 2/3', () => {
    expect(errorOf('mean', [1, 1, 2], 0)).toBeCloseTo(6 / 9, 1)
    expect(errorOf('inverse-variance-mean', [1, 1, 2], 0)).toBeCloseTo(1 / 2.25, 1)
    expect(errorOf('mean', [1, 1], 0)).toBeCloseTo(1 / 2, 1) // the mean does better without the third client
  })

  it('change nothing where all need the same, or only less', () => {
    expect(errorOf('inverse-variance-mean', [1, 1, 1], 1)).toBe(errorOf('mean', [1, 1, 1], 1))
    expect(errorOf('inverse-variance-mean', [0.5, 1, 1], 1)).toBe(errorOf('mean', [0.5, 1, 1], 1))
  })

  it('cost more than they gain where clients differ more than their noise: the mean stays the default', () => {
    // Var gained: 2/3 - 4/9 = 2/9. Bias: d^2 (2 (4/9 - 1/3)^2 + (1/9 - 1/3)^2) = 2/27 d^2, so d = sqrt(3) is the turn.
    const gain = (difference: number) =>
      errorOf('mean', [1, 1, 2], difference) - errorOf('inverse-variance-mean', [1, 1, 2], difference)
    expect(gain(1)).toBeGreaterThan(0.1)
    expect(gain(3)).toBeLessThan(-0.1)
  })

  it('take no update whose noise is not known', () => {
    const aggregation = beginAggregation(specs, { name: 'inverse-variance-mean' }, [])
    expect(() => aggregation.add([{ ...specs[0]!, data: new Float32Array(DIMENSION) }])).toThrow(/RUN_STATE/)
  })
})
