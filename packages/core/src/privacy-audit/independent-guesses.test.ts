import { describe, expect, it } from 'vitest'
import { pld } from '../accounting/index.ts'
import { zeros } from '../linalg/index.ts'
import { fillGaussian, seededSource } from '../random/index.ts'
import { binomialTail } from './binomial.ts'
import { guessKnowingOthers, independentPValue } from './independent-guesses.ts'
import { claimedCurve } from './privacy-curve.ts'

const CANARIES = 300
const DIMENSION = 1500
const DELTA = 1e-5

/**
 * Guesses on unit gradients that overlap, each with `shared` of its length along one common direction, behind noise.
 */
function guesses(seed: string, noise: number, shared: number, loudness = 1) {
  const source = seededSource(seed)
  const normal = (size: number) => {
    const values = new Float32Array(size)
    fillGaussian(source, values)
    return values
  }
  const gradients = Array.from({ length: CANARIES }, () => {
    const own = normal(DIMENSION)
    own[0] = 0
    const norm = Math.sqrt(own.reduce((sum, value) => sum + value ** 2, 0))
    const gradient = own.map((value) => (value * Math.sqrt(1 - shared ** 2)) / norm)
    gradient[0] = shared
    return gradient
  })
  const included = Uint8Array.from(normal(CANARIES), (value) => (value > 0 ? 1 : 0))
  const released = normal(DIMENSION).map((value) => noise * value)
  for (const [i, gradient] of gradients.entries()) {
    for (let k = 0; k < DIMENSION && included[i] === 1; k++) released[k]! += loudness * gradient[k]!
  }
  const inner = (a: Float32Array, b: Float32Array) => {
    let sum = 0
    for (let k = 0; k < DIMENSION; k++) sum += a[k]! * b[k]!
    return sum
  }
  const gram = zeros(CANARIES, CANARIES)
  for (const [i, a] of gradients.entries()) {
    for (let j = 0; j <= i; j++) gram.data[j * CANARIES + i] = inner(a, gradients[j]!)
  }
  return guessKnowingOthers(
    gram,
    Float64Array.from(gradients, (gradient) => inner(gradient, released)),
    included,
  )!
}

const claimed = (noiseMultiplier: number) => claimedCurve(pld, [{ sampleRate: 1, noiseMultiplier, steps: 1 }], DELTA)

describe('guesses of an auditor who knows all other coins', () => {
  it('are as good as on a lone record where gradients do not overlap, and no better where they do', () => {
    // The best guess on one coin behind noise 0.8 is right with a chance of Phi(1 / 1.6) = 0.734.
    const alone = guesses('apart', 0.8, 0)
    const overlapping = guesses('overlap', 0.8, 0.9)
    expect(alone.correct / CANARIES).toBeGreaterThan(0.734 - 0.1)
    expect(alone.correct / CANARIES).toBeLessThan(0.734 + 0.1)
    expect(overlapping.correct).toBeLessThan(alone.correct)
  })

  it('tell the noise that is claimed from two thirds of it, and from louder records', () => {
    const curve = claimed(0.8)
    expect(independentPValue(guesses('right', 0.8, 0.3), curve)).toBeGreaterThan(1e-4)
    expect(independentPValue(guesses('right', 1.2, 0.3), curve)).toBeGreaterThan(0.5)
    expect(independentPValue(guesses('less', 0.8 * (2 / 3), 0.3), curve)).toBeLessThan(0.05)
    expect(independentPValue(guesses('loud', 0.8, 0, 2), curve)).toBeLessThan(1e-4)
  })

  it('say nothing where gradients are the same', () => {
    const gram = zeros(2, 2)
    gram.data.fill(1)
    expect(guessKnowingOthers(gram, Float64Array.of(1, 1), Uint8Array.of(1, 0))).toBeUndefined()
  })

  it('are priced by the trade-off curve: right with at most Phi(mu / 2) under a Gaussian claim', () => {
    // 0.734014 is Phi(0.625); the points of the claim span a slightly weaker promise.
    const p = (outcome: number) => independentPValue({ canaries: 1, guesses: 1, correct: outcome }, claimed(0.8))
    expect(p(1)).toBeGreaterThanOrEqual(0.734014)
    expect(p(1)).toBeLessThan(0.736)
    expect(p(0)).toBe(1)
    // (0, 0) promises that a guess is a fair coin.
    expect(independentPValue({ canaries: 3, guesses: 3, correct: 3 }, [{ epsilon: 0, delta: 0 }])).toBeCloseTo(1 / 8, 9)
  })

  it('are counted by the binomial tail', () => {
    expect(binomialTail(10, 8, 0.5)).toBeCloseTo(56 / 1024, 14)
    expect(binomialTail(3, 0, 0.2)).toBe(1)
    expect(binomialTail(1000, 742, 0.7)).toBeCloseTo(0.0018656871, 8) // the sum of lgamma terms in Python
  })
})
