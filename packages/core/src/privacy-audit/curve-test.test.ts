import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { curvePValue, curveRejected, epsilonLowerBound } from './curve-test.ts'
import { oneRunPValue } from './one-run.ts'
import { leastWithout } from './privacy-curve.ts'
import vectors from './vectors/bounds.json' with { type: 'json' }

const point = fc.record({
  epsilon: fc.double({ min: 0, max: 4, noNaN: true }),
  delta: fc.double({ min: 0, max: 0.3, noNaN: true }),
})
const curve = fc.array(point, { minLength: 1, maxLength: 5 })
const outcome = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat(300), fc.nat(300)).map(([canaries, a, b]) => {
  const guesses = Math.min(canaries, a)
  return { canaries, guesses, correct: Math.min(guesses, b) }
})

describe('curvePValue', () => {
  it.each(vectors.curve)('is the optimum of the linear program: $guesses of $canaries, $correct right', (given) => {
    const value = curvePValue(given, given.curve)
    expect(value).toBeGreaterThan(given.pValue * (1 - 1e-9))
    expect(value).toBeLessThan(given.pValue * (1 + 1e-6))
  })

  it('is kept by randomised response, which makes every promise true: the exact chance is never above it', () => {
    fc.assert(
      fc.property(outcome, fc.double({ min: 0, max: 4, noNaN: true }), (given, epsilon) => {
        // P[Binomial >= correct], attained by randomised response
        const exact = oneRunPValue(given, { epsilon, delta: 0 })
        expect(curvePValue(given, [{ epsilon, delta: 0 }])).toBeGreaterThanOrEqual(exact * (1 - 1e-6))
      }),
    )
  })

  it('is kept by a mechanism that fails openly with chance delta, and is randomised response otherwise', () => {
    fc.assert(
      fc.property(
        outcome,
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.double({ min: 0, max: 0.2, noNaN: true }),
        (given, epsilon, delta) => {
          const mostly = oneRunPValue(given, { epsilon, delta: 0 })
          const exact = given.correct === 0 ? 1 : delta + (1 - delta) * mostly
          expect(curvePValue(given, [{ epsilon, delta }])).toBeGreaterThanOrEqual(exact * (1 - 1e-6))
        },
      ),
    )
  })

  it('falls when more is right or more is promised, and grows with the canaries that nobody guessed at', () => {
    fc.assert(
      fc.property(outcome, curve, point, (given, promises, extra) => {
        const p = curvePValue(given, promises)
        expect(curvePValue(given, [...promises, extra])).toBeLessThanOrEqual(p * (1 + 1e-6))
        expect(curvePValue({ ...given, canaries: given.canaries + 100 }, promises)).toBeGreaterThanOrEqual(
          p * (1 - 1e-6),
        )
        if (given.correct < given.guesses) {
          expect(curvePValue({ ...given, correct: given.correct + 1 }, promises)).toBeLessThanOrEqual(p * (1 + 1e-6))
        }
      }),
    )
  })

  it('agrees with the verdict at a level', () => {
    fc.assert(
      fc.property(outcome, curve, fc.double({ min: 1e-6, max: 0.5, noNaN: true }), (given, promises, level) => {
        const p = curvePValue(given, promises)
        if (p < level * (1 - 1e-6)) expect(curveRejected(given, promises, level)).toBe(true)
        if (p > level * (1 + 1e-6)) expect(curveRejected(given, promises, level)).toBe(false)
      }),
    )
  })
})

describe('epsilonLowerBound', () => {
  it('is the epsilon whose single promise is rejected, and hardly more is not', () => {
    fc.assert(
      fc.property(outcome, fc.double({ min: 0, max: 1e-2, noNaN: true }), (given, delta) => {
        const bound = epsilonLowerBound(given, delta, 0.05)
        if (bound > 0) expect(curveRejected(given, [{ epsilon: bound, delta }], 0.05)).toBe(true)
        expect(curveRejected(given, [{ epsilon: bound + 3e-6, delta }], 0.05)).toBe(false)
      }),
    )
  })

  it('above a claim means that the whole curve of the claim is rejected: one verdict', () => {
    fc.assert(
      fc.property(outcome, curve, (given, promises) => {
        const { epsilon, delta } = promises[0]!
        if (epsilonLowerBound(given, delta, 0.05) > epsilon) expect(curveRejected(given, promises, 0.05)).toBe(true)
      }),
    )
  })

  it('refuses counts, claims and levels that are none', () => {
    const fine = { canaries: 10, guesses: 5, correct: 5 }
    expect(() => epsilonLowerBound({ ...fine, correct: 6 }, 0, 0.05)).toThrow('CONFIG_INVALID')
    expect(() => epsilonLowerBound(fine, 1.1, 0.05)).toThrow('CONFIG_INVALID')
    expect(() => epsilonLowerBound(fine, 0, 1)).toThrow('CONFIG_INVALID')
    expect(() => curvePValue(fine, [{ epsilon: -1, delta: 0 }])).toThrow('CONFIG_INVALID')
    expect(() => curveRejected(fine, [{ epsilon: 1, delta: 0 }], Number.NaN)).toThrow('CONFIG_INVALID')
  })
})

describe('leastWithout', () => {
  it('undoes the most that the promises allow: delta + e^epsilon x, and its mirror image', () => {
    fc.assert(
      fc.property(curve, fc.double({ min: 0, max: 1, noNaN: true }), (promises, x) => {
        const most = Math.min(
          1,
          ...promises.flatMap(({ epsilon, delta }) => [
            delta + Math.exp(epsilon) * x,
            1 - Math.exp(-epsilon) * (1 - delta - x),
          ]),
        )
        const least = leastWithout(promises)
        expect(least(most)).toBeLessThanOrEqual(x + 1e-12)
        if (most < 1) expect(least(most + 1e-9)).toBeGreaterThan(x - 1e-7)
      }),
    )
  })
})
