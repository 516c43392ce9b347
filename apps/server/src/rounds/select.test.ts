import { describe, expect, it } from 'vitest'
import { draw } from './select.ts'

const candidates = Array.from({ length: 10 }, (_, index) => `client ${index}`)

describe('the selection of a round', () => {
  it('is a function of the seed, the round, the wave and the set of candidates', () => {
    const chosen = draw('seed', candidates, 3, 7, 0)
    expect(draw('seed', candidates.toReversed(), 3, 7, 0)).toEqual(chosen)
    expect(draw('other', candidates, 3, 7, 0)).not.toEqual(chosen)
    expect(draw('seed', candidates, 3, 8, 0)).not.toEqual(chosen)
    expect(draw('seed', candidates, 3, 7, 1)).not.toEqual(chosen)
  })

  it('takes everyone when there are too few', () => {
    expect(draw('seed', ['b', 'a'], 3, 0, 0).toSorted()).toEqual(['a', 'b'])
    expect(draw('seed', [], 3, 0, 0)).toEqual([])
  })

  it('favours no client', () => {
    const rounds = 4000
    const counts = new Map(candidates.map((clientId) => [clientId, 0]))
    for (let round = 0; round < rounds; round += 1) {
      for (const clientId of draw('seed', candidates, 3, round, 0)) counts.set(clientId, counts.get(clientId)! + 1)
    }
    // Each is drawn in 3 of 10 rounds: 1200, with a standard deviation of sqrt(4000 * 0.3 * 0.7) = 29.
    for (const count of counts.values()) expect(Math.abs(count - 1200)).toBeLessThan(5 * 29)
  })
})
