import { contributionOf } from '@fedsvd/testing/core/clipped-sums'
import { describe, expect, it } from 'vitest'
import { fillGaussian, RandomBits, seededSource } from '../random/index.ts'
import { discretisationSlack, GRID_BITS, gridOf, gridSensitivity, gridSigma, squaredBound } from './sensitivity.ts'

const norm = (arrays: readonly Float64Array[]) =>
  Math.sqrt(arrays.reduce((sum, values) => values.reduce((inner, value) => inner + value * value, sum), 0))

describe('gridSensitivity', () => {
  it('is the root of the bound that is enforced, for every size', () => {
    for (let dimension = 1; dimension < 2 ** 33; dimension = Math.ceil(dimension * 1.7)) {
      const size = { dimension, gridBits: GRID_BITS }
      const squared = squaredBound(size)
      expect(Number.isSafeInteger(squared)).toBe(true)
      expect(Math.abs(gridSensitivity(size) ** 2 / squared - 1)).toBeLessThan(2 ** -51)
      // (2^18 + sqrt(d) / 2)^2 = 2^36 + 2^18 sqrt(d) + d / 4, in integers: the bound is not below it
      const rest = BigInt(squared) - 2n ** 36n - BigInt(Math.ceil(dimension / 4))
      expect(rest + 1n >= 0n && (rest + 1n) ** 2n >= 2n ** 36n * BigInt(dimension)).toBe(true)
    }
  })

  it('leaves room for every honest record, also for those made to be rounded up everywhere', () => {
    const bits = new RandomBits(seededSource('records'))
    for (const dimension of [1, 7, 1000, 40_000]) {
      const bound = gridSensitivity({ dimension, gridBits: GRID_BITS })
      const gaussian = new Float32Array(dimension)
      fillGaussian(bits, gaussian)
      const halves = new Float32Array(dimension).fill(1.51 * gridOf(2)) // each coordinate rounds 1.51 up to 2
      const spike = new Float32Array(dimension)
      spike[0] = 1e30
      for (const data of [gaussian, halves, spike]) {
        const contribution = norm(contributionOf([{ name: 'g', shape: [dimension], data }], 2))
        expect(contribution).toBeLessThanOrEqual(bound)
        expect(contribution).toBeGreaterThan(0)
      }
    }
  })

  it('needs its term for rounding: without it, an honest record of norm clipNorm would be left out', () => {
    const dimension = 1_012_600 // 2^18 / sqrt(d) = 260.51 grid units for each coordinate, and all of them round up
    const data = new Float32Array(dimension).fill(1 / Math.sqrt(dimension))
    const contribution = norm(contributionOf([{ name: 'g', shape: [dimension], data }], 1))
    expect(contribution).toBeGreaterThan(2 ** GRID_BITS) // 261 * 1006.28 = 262,639 > 262,144
    expect(contribution).toBeLessThanOrEqual(gridSensitivity({ dimension, gridBits: GRID_BITS }))
  })
})

describe('gridSigma', () => {
  it('is the multiplier times the sensitivity, and a billionth more', () => {
    for (const noiseMultiplier of [0.4, 0.7, 2.5]) {
      const wanted = noiseMultiplier * gridSensitivity({ dimension: 50_000, gridBits: GRID_BITS })
      const sigma = gridSigma({ noiseMultiplier, dimension: 50_000 })
      expect(sigma / wanted).toBeGreaterThan(1)
      expect(sigma / wanted).toBeLessThan(1 + 1e-9)
    }
  })

  it('makes discrete noise a rounding of continuous noise: the argument, computed where its error can be seen', () => {
    // Continuous noise s1, then randomised rounding of width s: compared with the discrete Gaussian of s1^2 + s^2.
    const s1 = 1.7
    for (const s of [0.45, 0.6, 0.8]) {
      const e = 2.1 * Math.exp(-2 * Math.PI ** 2 * s ** 2)
      const sigma = Math.hypot(s1, s)
      const rho = (x: number, width: number) => Math.exp((-x * x) / (2 * width * width))
      const normaliser = sum(-60, 60, 1, (x) => rho(x, sigma))
      for (const x of [0, 1, 4]) {
        const rounded = sum(-20, 20, 1 / 256, (y) => {
          const chance = rho(x - y, s) / sum(-25, 25, 1, (z) => rho(z - y, s))
          return (chance * rho(y, s1)) / (s1 * Math.sqrt(2 * Math.PI)) / 256
        })
        expect(Math.abs(Math.log(rho(x, sigma) / normaliser / rounded))).toBeLessThan(3 * e)
      }
    }
  })

  it('costs less than the last bit of any epsilon or delta', () => {
    const slack = discretisationSlack({ dimension: 1e9, steps: 1e9 })
    expect(slack).toBeGreaterThan(0)
    expect(slack).toBeLessThan(1e-58)
    expect(10 + 2 * slack).toBe(10)
  })
})

function sum(from: number, to: number, step: number, term: (x: number) => number): number {
  let total = 0
  for (let i = 0; i <= Math.round((to - from) / step); i++) total += term(from + i * step)
  return total
}
