/**
 * Exact privacy curves for tests, by routes that share nothing with the accountants: closed forms, and an inverse
 * Laplace transform along a contour with brute-force moments.
 */

import type { AccountedEvent } from '@fedsvd/core/accounting'
import erfcx from '@stdlib/math-base-special-erfcx'

/** Hockey-stick divergence of N(1, sigma^2) from N(0, sigma^2) at e^epsilon (Balle, Wang 2018, theorem 8). */
export function gaussianDelta(sigma: number, epsilon: number): number {
  const a = 1 / (2 * sigma) - epsilon * sigma
  const b = -1 / (2 * sigma) - epsilon * sigma
  return 0.5 * Math.exp((-a * a) / 2) * (erfcx(-a / Math.SQRT2) - erfcx(-b / Math.SQRT2))
}

/** delta(epsilon) of one Poisson-subsampled step in each direction. */
export function oneStepDeltas(q: number, sigma: number, epsilon: number): { remove: number; add: number } {
  const ratio = Math.exp(epsilon)
  const share = 1 - ratio * (1 - q)
  return {
    remove: q * gaussianDelta(sigma, Math.log1p((ratio - 1) / q)),
    add: share > 0 ? share * gaussianDelta(sigma, Math.log((ratio * q) / share)) : 0,
  }
}

/** The worse of the two. */
export function oneStepDelta(q: number, sigma: number, epsilon: number): number {
  const { remove, add } = oneStepDeltas(q, sigma, epsilon)
  return Math.max(remove, add)
}

/**
 * delta(epsilon) of a composition, the worse of removal and addition, as
 * 1 / 2 pi times the integral over t of E[e^(z L)] e^(-z epsilon) / (z (z + 1)), z = tilt + i t.
 */
export function composedDelta(events: readonly AccountedEvent[], epsilon: number, tilt: number): number {
  const inDirection = (sign: 1 | -1): number => {
    const nodes = events.map(({ sampleRate: q, noiseMultiplier: sigma, steps }) => {
      const step = Math.min(sigma, sigma * sigma) / 40
      const count = Math.ceil((2 * 14 * sigma + tilt + 2) / step)
      return {
        steps,
        points: Array.from({ length: count }, (_, i) => {
          const x = -14 * sigma - 1 + i * step
          const loss = Math.log1p(q * Math.expm1((2 * x - 1) / (2 * sigma * sigma)))
          const weight = (step / (sigma * Math.sqrt(2 * Math.PI))) * Math.exp((-x * x) / (2 * sigma * sigma))
          return {
            loss: sign * loss,
            weight: (sign > 0 ? weight * Math.exp(loss) : weight) * Math.exp(sign * tilt * loss),
          }
        }),
      }
    })
    const integrand = (t: number): number => {
      let logModulus = -tilt * epsilon
      let phase = -t * epsilon
      for (const { steps, points } of nodes) {
        let [re, im] = [0, 0]
        for (const { loss, weight } of points) {
          re += weight * Math.cos(t * loss)
          im += weight * Math.sin(t * loss)
        }
        logModulus += steps * Math.log(Math.hypot(re, im))
        phase += steps * Math.atan2(im, re)
      }
      const [bottomRe, bottomIm] = [tilt * (tilt + 1) - t * t, t * (2 * tilt + 1)]
      const modulus = Math.exp(logModulus) / (bottomRe ** 2 + bottomIm ** 2)
      return modulus * (Math.cos(phase) * bottomRe + Math.sin(phase) * bottomIm)
    }
    // The integrand is even in t and dies out; the trapezoid rule is then exact up to rounding.
    const step = 0.02
    let sum = integrand(0) / 2
    for (let i = 1; i < 4000; i++) {
      const term = integrand(i * step)
      sum += term
      if (i > 50 && Math.abs(term) < 1e-15 * Math.abs(sum)) break
    }
    return (sum * step) / Math.PI
  }
  return Math.max(inDirection(1), inDirection(-1))
}

/** The epsilon at which a decreasing exact curve reaches delta. */
export function epsilonOf(curve: (epsilon: number) => number, delta: number): number {
  let [low, high] = [0, 1]
  if (curve(0) <= delta) return 0
  while (curve(high) > delta) high *= 2
  for (let round = 0; round < 80; round++) {
    const middle = (low + high) / 2
    if (curve(middle) > delta) low = middle
    else high = middle
  }
  return high
}
