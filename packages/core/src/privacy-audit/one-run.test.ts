import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { oneRunEpsilon, oneRunPValue } from './one-run.ts'
import vectors from './vectors/bounds.json' with { type: 'json' }

const outcome = fc
  .tuple(
    fc.integer({ min: 1, max: 400 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map(([canaries, share, rightShare]) => {
    const guesses = Math.floor(canaries * share)
    return { canaries, guesses, correct: Math.floor(guesses * rightShare) }
  })
const epsilon = fc.double({ min: 0, max: 6, noNaN: true })
const delta = fc.double({ min: 0, max: 1e-3, noNaN: true })

describe('oneRunPValue', () => {
  it.each(vectors.oneRun)(
    'is the exact sum, rounded up: $guesses of $canaries, $correct right',
    ({ pValue, ...given }) => {
      const value = oneRunPValue(given, given)
      expect(value).toBeGreaterThanOrEqual(pValue)
      expect(value).toBeLessThan(pValue * (1 + 1e-7))
    },
  )

  it('charges delta by the number of canaries, not of guesses', () => {
    const slack = (canaries: number) => {
      const given = { canaries, guesses: 100, correct: 75 }
      return oneRunPValue(given, { epsilon: 0.6, delta: 1e-5 }) - oneRunPValue(given, { epsilon: 0.6, delta: 0 })
    }
    expect(slack(5000) / slack(500)).toBeCloseTo(10, 4)
  })

  it('falls when more guesses are right, grows with epsilon, delta and the canaries', () => {
    fc.assert(
      fc.property(outcome, epsilon, delta, (given, eps, d) => {
        const p = (changes = {}, claim = {}) =>
          oneRunPValue({ ...given, ...changes }, { epsilon: eps, delta: d, ...claim }) * (1 + 1e-7)
        const here = p() / (1 + 1e-7)
        expect(p({}, { epsilon: eps + 0.3 })).toBeGreaterThanOrEqual(here)
        expect(p({}, { delta: d + 1e-4 })).toBeGreaterThanOrEqual(here)
        expect(p({ canaries: given.canaries + 50 })).toBeGreaterThanOrEqual(here)
        if (d === 0 && given.correct > 0) expect(p({ correct: given.correct - 1 })).toBeGreaterThanOrEqual(here)
      }),
    )
  })
})

describe('oneRunEpsilon', () => {
  // Steinke, Nasr and Jagielski 2023, appendix D and section 7; the paper shortens to three decimals, by cutting or
  // rounding
  it.each([
    { canaries: 100, guesses: 100, correct: 75, delta: 0, published: 0.702 },
    { canaries: 100, guesses: 100, correct: 75, delta: 1e-4, published: 0.699 },
    { canaries: 1000, guesses: 100, correct: 75, delta: 1e-4, published: 0.673 },
    { canaries: 100_000, guesses: 1510, correct: 1439, delta: 1e-5, published: 2.675 },
  ])('is the published $published', ({ delta: d, published, ...given }) => {
    expect(Math.abs(oneRunEpsilon(given, d, 0.05) - published)).toBeLessThan(0.001)
  })

  it.each([16, 100, 1000])('has a closed form when all of %d guesses are right and delta is 0', (guesses) => {
    const exact = -Math.log(0.05 ** (-1 / guesses) - 1) // (e^eps / (1 + e^eps))^r = level
    const bound = oneRunEpsilon({ canaries: guesses, guesses, correct: guesses }, 0, 0.05)
    expect(bound).toBeLessThanOrEqual(exact)
    expect(bound).toBeGreaterThan(exact - 2e-6)
  })

  it('is rejected itself, and hardly more is not', () => {
    fc.assert(
      fc.property(outcome, delta, fc.double({ min: 1e-6, max: 0.2, noNaN: true }), (given, d, level) => {
        const bound = oneRunEpsilon(given, d, level)
        if (bound > 0) expect(oneRunPValue(given, { epsilon: bound, delta: d })).toBeLessThan(level)
        expect(oneRunPValue(given, { epsilon: bound + 3e-6, delta: d })).toBeGreaterThanOrEqual(level * (1 - 1e-6))
      }),
    )
  })

  it('is 0 for guesses no better than a coin', () => {
    expect(oneRunEpsilon({ canaries: 1000, guesses: 1000, correct: 500 }, 1e-5, 0.05)).toBe(0)
    expect(oneRunEpsilon({ canaries: 10, guesses: 0, correct: 0 }, 1e-5, 0.05)).toBe(0)
  })

  it.each([
    [{ canaries: 10, guesses: 11, correct: 0 }, 0, 0.05],
    [{ canaries: 10, guesses: 5, correct: 6 }, 0, 0.05],
    [{ canaries: 0, guesses: 0, correct: 0 }, 0, 0.05],
    [{ canaries: 10, guesses: 5.5, correct: 5 }, 0, 0.05],
    [{ canaries: 10, guesses: 5, correct: 5 }, -0.1, 0.05],
    [{ canaries: 10, guesses: 5, correct: 5 }, Number.NaN, 0.05],
    [{ canaries: 10, guesses: 5, correct: 5 }, 0, 0],
    [{ canaries: 10, guesses: 5, correct: 5 }, 0, 1],
  ])('refuses %o at delta %d and level %d', (given, d, level) => {
    expect(() => oneRunEpsilon(given, d, level)).toThrow('CONFIG_INVALID')
  })
})
