import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rdp, renyiDivergences } from './rdp.ts'
import vectors from './vectors/accounting.json' with { type: 'json' }

const divergence = (sampleRate: number, noiseMultiplier: number, alpha: number) =>
  renyiDivergences({ sampleRate, noiseMultiplier }, [alpha])[0] as number

/**
 * Integer orders in closed form (Mironov, Talwar, Zhang 2019, section 3.3), with the terms that add up to 1 left out.
 */
function closedForm(q: number, sigma: number, alpha: number): number {
  let logBinomial = 0
  const terms: number[] = []
  for (let k = 1; k <= alpha; k++) {
    logBinomial += Math.log((alpha - k + 1) / k)
    const exponent = (k * k - k) / (2 * sigma * sigma)
    if (k > 1)
      terms.push(
        logBinomial + k * Math.log(q) + (alpha - k) * Math.log1p(-q) + exponent + Math.log1p(-Math.exp(-exponent)),
      )
  }
  const largest = Math.max(...terms)
  const log = largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0))
  return (log > 30 ? log : Math.log1p(Math.exp(log))) / (alpha - 1)
}

describe('Renyi divergence of the subsampled Gaussian', () => {
  it('equals the closed form at integer orders, from tiny to nearly full sample rates', () => {
    for (const q of [1e-6, 0.002, 0.1, 0.5, 0.9, 0.999]) {
      for (const sigma of [0.2, 0.45, 0.7, 1, 2.5, 10, 60]) {
        for (const alpha of [2, 3, 7, 16, 40]) {
          const exact = closedForm(q, sigma, alpha)
          const computed = divergence(q, sigma, alpha)
          expect(computed).toBeGreaterThanOrEqual(exact * (1 - 1e-12))
          expect(computed).toBeLessThan(exact * (1 + 2e-6))
        }
      }
    }
  })

  it('is that of the plain Gaussian, alpha / 2 sigma^2, when every record is in the lot', () => {
    for (const alpha of [1.01, 1.5, 2, 33.3]) {
      expect(divergence(1, 2.5, alpha)).toBeCloseTo(alpha / (2 * 2.5 ** 2), 9)
      expect(divergence(1 - 1e-15, 2.5, alpha)).toBeCloseTo(alpha / (2 * 2.5 ** 2), 9)
    }
  })

  it('converges at fractional orders and large sample rates: (alpha - 1) D is convex, D is not decreasing', () => {
    const alphas = Array.from({ length: 120 }, (_, i) => 1.05 + 0.1 * i)
    for (const [q, sigma] of [
      [0.9, 0.5],
      [0.6, 1],
      [0.5, 4],
      [0.99, 0.8],
      [0.01, 0.3],
    ] as const) {
      const d = renyiDivergences({ sampleRate: q, noiseMultiplier: sigma }, alphas)
      for (let i = 1; i + 1 < alphas.length; i++) {
        const [a, b, c] = [i - 1, i, i + 1].map((j) => ((alphas[j] as number) - 1) * (d[j] as number)) as [
          number,
          number,
          number,
        ]
        expect((a + c) / 2).toBeGreaterThanOrEqual(b * (1 - 1e-9))
        expect(d[i]).toBeGreaterThanOrEqual((d[i - 1] as number) * (1 - 1e-9))
      }
    }
  })

  it('agrees with a brute-force integral at fractional orders', () => {
    for (const [q, sigma, alpha] of [
      [0.7, 0.8, 1.37],
      [0.02, 1, 5.5],
      [0.3, 2, 12.25],
      [0.97, 1.5, 1.02],
    ] as const) {
      const step = (sigma * sigma) / 5000
      let sum = 0
      for (let x = -14 * sigma; x < alpha + 14 * sigma; x += step) {
        const ratio = 1 - q + q * Math.exp((2 * x - 1) / (2 * sigma * sigma))
        sum += ratio ** alpha * Math.exp((-x * x) / (2 * sigma * sigma))
      }
      const exact = Math.log((sum * step) / (sigma * Math.sqrt(2 * Math.PI))) / (alpha - 1)
      expect(divergence(q, sigma, alpha)).toBeCloseTo(exact, 8)
    }
  })
})

describe('rdp', () => {
  it.each(vectors.single)('reproduces the reference for $steps steps, q $sampleRate, sigma $noiseMultiplier', (row) => {
    const epsilon = rdp.epsilonUpperBound([row], row.delta)
    expect(Math.abs(epsilon / row.epsilonRdp - 1)).toBeLessThan(0.005)
  })

  it.each(vectors.composed)('reproduces the reference for unlike events', ({ parts, delta, epsilonRdp }) => {
    expect(Math.abs(rdp.epsilonUpperBound(parts, delta) / epsilonRdp - 1)).toBeLessThan(0.005)
  })

  it('uses the tight conversion at the best order: for the Gaussian, against a fine search over all orders', () => {
    const [sigma, steps, delta] = [5, 40, 1e-6]
    let best = Number.POSITIVE_INFINITY
    for (let alpha = 1.001; alpha < 60; alpha += 0.001) {
      const bound =
        (steps * alpha) / (2 * sigma ** 2) + Math.log((alpha - 1) / alpha) - Math.log(delta * alpha) / (alpha - 1)
      best = Math.min(best, bound)
    }
    const epsilon = rdp.epsilonUpperBound([{ sampleRate: 1, noiseMultiplier: sigma, steps }], delta)
    expect(epsilon).toBeGreaterThanOrEqual(best * (1 - 1e-9))
    expect(epsilon).toBeLessThan(best * 1.0005)
  })

  it('shows 0 where the whole mechanism is less likely than delta to show anything', () => {
    expect(rdp.epsilonUpperBound([{ sampleRate: 1e-6, noiseMultiplier: 5, steps: 3 }], 1e-4)).toBe(0)
  })

  it('is fast enough at extreme arguments, and finite', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -9, max: 0, noNaN: true }),
        fc.double({ min: -1.3, max: 3, noNaN: true }),
        fc.integer({ min: 1, max: 1e7 }),
        fc.double({ min: -60, max: -0.1, noNaN: true }),
        (logRate, logNoise, steps, logDelta) => {
          const event = { sampleRate: 10 ** logRate, noiseMultiplier: 10 ** logNoise, steps }
          const epsilon = rdp.epsilonUpperBound([event], 10 ** logDelta)
          expect(Number.isFinite(epsilon)).toBe(true)
          expect(epsilon).toBeGreaterThanOrEqual(0)
        },
      ),
      { numRuns: 60 },
    )
  })
})
