import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findCrossing, lastNotAbove } from './crossing.ts'
import { fourierError, realFourier } from './fourier.ts'
import { LogSum, logAddExp, logSubExp, logSumExp } from './log-space.ts'
import { GAUSS_3, GAUSS_5 } from './quadrature.ts'

describe('sums in log space', () => {
  it('equal the plain arithmetic where that does not overflow', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 }), (xs) => {
        const plain = xs.reduce((a, b) => a + b, 0)
        expect(Math.exp(logSumExp(xs.map(Math.log)))).toBeCloseTo(plain, 8 - Math.ceil(Math.log10(plain + 1)))
      }),
    )
    expect(Math.exp(logAddExp(Math.log(3), Math.log(4)))).toBeCloseTo(7, 13)
    expect(Math.exp(logSubExp(Math.log(7), Math.log(4)))).toBeCloseTo(3, 13)
  })

  it('go where the plain arithmetic cannot', () => {
    expect(logAddExp(1000, 1000)).toBeCloseTo(1000 + Math.LN2, 12)
    expect(logSumExp([-2000, -2000, -2000, -2000])).toBeCloseTo(-2000 + Math.log(4), 12)
    expect(logSubExp(0, -1e-12)).toBeCloseTo(Math.log(1e-12), 9)
  })

  it('treat -Infinity as zero, and the empty sum as zero', () => {
    expect(logAddExp(Number.NEGATIVE_INFINITY, 2)).toBe(2)
    expect(logSubExp(2, Number.NEGATIVE_INFINITY)).toBe(2)
    expect(logSubExp(2, 2)).toBe(Number.NEGATIVE_INFINITY)
    expect(logSumExp([])).toBe(Number.NEGATIVE_INFINITY)
    expect(logSumExp([Number.NEGATIVE_INFINITY, 5])).toBe(5)
    expect(new LogSum().value()).toBe(Number.NEGATIVE_INFINITY)
  })
})

describe('realFourier', () => {
  it('is the definition, within its own error bound', () => {
    const size = 64
    const x = Float64Array.from({ length: size }, (_, j) => Math.sin(j * j) + 0.3 * j)
    const norm = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0))
    const spectrum = realFourier(size)(x)
    for (let k = 0; k <= size / 2; k++) {
      let [re, im] = [0, 0]
      x.forEach((v, j) => {
        const angle = (-2 * Math.PI * ((j * k) % size)) / size
        re += v * Math.cos(angle)
        im += v * Math.sin(angle)
      })
      const distance = Math.hypot((spectrum[2 * k] as number) - re, (spectrum[2 * k + 1] as number) - im)
      expect(distance).toBeLessThan(2 * fourierError(size, norm))
    }
  })

  it('has an error bound that holds at a large size, against a transform known in closed form', () => {
    const [size, ratio] = [2 ** 16, 0.999]
    const x = Float64Array.from({ length: size }, (_, j) => ratio ** j)
    const bound = fourierError(size, 1 / Math.sqrt(1 - ratio ** 2))
    const spectrum = realFourier(size)(x)
    for (const k of [0, 1, 2, 100, 5000, size / 2]) {
      const angle = (-2 * Math.PI * k) / size
      const [bottomRe, bottomIm] = [1 - ratio * Math.cos(angle), -ratio * Math.sin(angle)]
      const scale = (1 - ratio ** size) / (bottomRe ** 2 + bottomIm ** 2)
      expect(Math.abs((spectrum[2 * k] as number) - scale * bottomRe)).toBeLessThan(bound + 1e-12 * scale)
      expect(Math.abs((spectrum[2 * k + 1] as number) + scale * bottomIm)).toBeLessThan(bound + 1e-12 * scale)
    }
  })
})

describe('Gauss-Legendre rules', () => {
  it.each([
    ['three points', GAUSS_3, 5],
    ['five points', GAUSS_5, 9],
  ])('%s integrate polynomials exactly up to their degree, and no further', (_, { nodes, weights }, degree) => {
    const power = (n: number) => nodes.reduce((sum, x, i) => sum + (weights[i] as number) * x ** n, 0)
    for (let n = 0; n <= degree; n++) expect(power(n)).toBeCloseTo(1 / (n + 1), 14)
    expect(Math.abs(power(degree + 1) - 1 / (degree + 2))).toBeGreaterThan(1e-8)
  })
})

describe('searches', () => {
  it('find where a decreasing function crosses zero', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 99, noNaN: true }), (root) => {
        const f = (x: number) => Math.exp(-x / 10) - Math.exp(-root / 10)
        const bracket = { low: 0, high: 100, atLow: f(0), atHigh: f(100) }
        const x = findCrossing(f, bracket, (value) => Math.abs(value) < 1e-9)
        expect(Math.abs(f(x))).toBeLessThan(1e-9)
      }),
    )
  })

  it('stay on the safe side of a jump', () => {
    const step = (x: number) => (x < 3 ? 1 : -1)
    const x = findCrossing(step, { low: 0, high: 10, atLow: 1, atHigh: -1 }, (value) => value === 0)
    expect(step(x)).toBe(-1)
    expect(x).toBeCloseTo(3, 12)
  })

  it('find the last integer at which a growing function is not above zero', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9999 }), fc.double({ min: 0.3, max: 3, noNaN: true }), (last, power) => {
        const f = (n: number) => n ** power - (last + 0.5) ** power
        expect(lastNotAbove(f, { low: 0, high: 10_000, atLow: f(0), atHigh: f(10_000) })).toBe(last)
      }),
    )
  })
})
