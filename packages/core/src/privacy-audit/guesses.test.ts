import { describe, expect, it } from 'vitest'
import { countCorrect, guessPlans } from './guesses.ts'

describe('guessPlans', () => {
  it('depends on the number of canaries alone, and never guesses more than there are', () => {
    expect(guessPlans(1000)).toEqual(guessPlans(1000))
    for (const canaries of [0, 1, 2, 3, 63, 64, 1001, 100_000]) {
      for (const { included, excluded } of guessPlans(canaries)) {
        expect(included).toBeGreaterThan(0)
        expect(included + excluded).toBeLessThanOrEqual(canaries / 2)
      }
    }
    expect(guessPlans(64)).toHaveLength(10)
    expect(guessPlans(1)).toEqual([])
  })
})

describe('countCorrect', () => {
  // ranked by score: index 3 (in), 0 (out), 4 (in), 1 (out), 2 (in)
  const scores = Float64Array.of(5, 1, -2, 9, 5 - 1e-9)
  const included = Uint8Array.of(0, 0, 1, 1, 1)

  it.each([
    [{ included: 1, excluded: 0 }, 1],
    [{ included: 2, excluded: 0 }, 1],
    [{ included: 3, excluded: 0 }, 2],
    [{ included: 1, excluded: 1 }, 1],
    [{ included: 1, excluded: 2 }, 2],
    [{ included: 0, excluded: 2 }, 1],
  ])('%o: %d right', (plan, correct) => {
    expect(countCorrect(scores, included, [plan])).toEqual([
      { canaries: 5, guesses: plan.included + plan.excluded, correct },
    ])
  })

  it('ranks infinite scores, and settles ties by index and not by coin', () => {
    const tied = Float64Array.of(1, Number.POSITIVE_INFINITY, 1, Number.POSITIVE_INFINITY)
    const plan = [{ included: 1, excluded: 1 }]
    expect(countCorrect(tied, Uint8Array.of(0, 1, 0, 0), plan)[0]!.correct).toBe(2)
    expect(countCorrect(tied, Uint8Array.of(0, 0, 1, 1), plan)[0]!.correct).toBe(0)
  })
})
