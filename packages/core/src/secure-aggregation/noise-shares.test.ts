import { describe, expect, it } from 'vitest'
import { discreteGaussian, seededSource } from '../random/index.ts'
import { convolutionSlack, excessNoise, noiseOfShares, noiseShare } from './noise-shares.ts'

/** P(x) proportional to exp(-x^2 / (2 sigma^2)) on the integers from -REACH to REACH. */
const REACH = 40
const axis = Array.from({ length: 2 * REACH + 1 }, (_, i) => i - REACH)
function discreteGaussianMasses(variance: number): Map<number, number> {
  const total = axis.reduce((sum, x) => sum + Math.exp(-(x * x) / (2 * variance)), 0)
  return new Map(axis.map((x) => [x, Math.exp(-(x * x) / (2 * variance)) / total]))
}

function convolved(one: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>): Map<number, number> {
  const sum = new Map<number, number>()
  for (const [x, p] of one) for (const [y, q] of other) sum.set(x + y, (sum.get(x + y) ?? 0) + p * q)
  return sum
}

/** The largest |log| of the ratio of the sum's masses to those of the discrete Gaussian of the same variance. */
function largestLoss(sigmas: readonly number[]): number {
  const sum = sigmas.map((sigma) => discreteGaussianMasses(sigma ** 2)).reduce(convolved)
  const single = discreteGaussianMasses(sigmas.reduce((variance, sigma) => variance + sigma ** 2, 0))
  // Beyond five standard deviations masses are lost in the rounding of the convolution.
  return Math.max(...axis.filter((x) => Math.abs(x) < 8).map((x) => Math.abs(Math.log(sum.get(x)! / single.get(x)!))))
}

describe('shares of noise', () => {
  it('add up to the target over the honest sites of a sum', () => {
    for (const shares of [2, 3, 6, 100]) {
      const share = noiseShare({ noiseMultiplier: 0.9, honestInTheSum: shares })
      expect(share).toBeCloseTo(0.9 / Math.sqrt(shares), 12)
      expect(noiseOfShares({ share, shares })).toBeGreaterThanOrEqual(0.9 * (1 - 1e-15))
    }
  })

  it('are not below the floor that a site asks for', () => {
    expect(noiseShare({ noiseMultiplier: 1, honestInTheSum: 100, ownFloor: 0.3 })).toBe(0.3)
  })

  it('are refused where they would be none', () => {
    for (const noiseMultiplier of [0, Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      expect(() => noiseShare({ noiseMultiplier, honestInTheSum: 2 })).toThrow(/SUM_REFUSED/)
    }
    expect(() => noiseShare({ noiseMultiplier: 1, honestInTheSum: 0 })).toThrow(/SUM_REFUSED/)
  })

  it('are more than is needed where nobody is lost', () => {
    expect(excessNoise({ survivors: 12, honestInTheSum: 3 })).toBe(2)
  })

  it('drawn by the sampler have the variance of their sum', () => {
    const sampler = discreteGaussian(400)
    const sum = new Float64Array(20_000)
    for (const site of [0, 1, 2]) {
      const drawn = new Float64Array(sum.length)
      sampler.fill(seededSource('shares', site), drawn)
      drawn.forEach((x, i) => {
        sum[i]! += x
      })
    }
    const variance = sum.reduce((total, x) => total + x * x, 0) / sum.length
    // Its relative standard error is sqrt(2 / 20,000) = 0.01: two shares or five are told apart from three.
    expect(variance / (3 * 400 ** 2)).toBeGreaterThan(0.95)
    expect(variance / (3 * 400 ** 2)).toBeLessThan(1.05)
  })
})

describe('a sum of discrete Gaussians', () => {
  it.each([[[0.5, 0.5]], [[0.6, 0.6]], [[0.5, 0.9]], [[0.55, 0.55, 0.55]], [[0.6, 0.5, 0.7, 0.5]]])(
    'is as near to one as is counted, at %j',
    (sigmas) => {
      const slack = convolutionSlack({ sigmas, dimension: 1, steps: 1 })
      expect(largestLoss(sigmas)).toBeLessThanOrEqual(slack)
      // And is not counted far too dear: the constant 5 covers a true 4 or less.
      expect(largestLoss(sigmas)).toBeGreaterThan(slack / 20)
    },
  )

  it('costs what Kairouz, Liu and Steinke count for equal shares', () => {
    const sigma = 0.8
    const terms = [1, 2, 3, 4].map((k) => Math.exp((-2 * Math.PI ** 2 * sigma ** 2 * k) / (k + 1)))
    const expected = 5 * terms.reduce((sum, term) => sum + term) * 10 * 7
    const slack = convolutionSlack({ sigmas: [sigma, sigma, sigma, sigma, sigma], dimension: 10, steps: 7 })
    expect(slack / expected).toBeCloseTo(1, 12)
  })

  it('costs nothing on the grid, and is refused where the bound does not hold', () => {
    expect(convolutionSlack({ sigmas: [2 ** 16, 2 ** 16], dimension: 1e9, steps: 1e6 })).toBe(0)
    expect(() => convolutionSlack({ sigmas: [0.4, 3], dimension: 1, steps: 1 })).toThrow(/SUM_REFUSED/)
  })
})
