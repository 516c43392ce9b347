import { describe, expect, it } from 'vitest'
import { MISS_PROBABILITY, mostMembers } from './release-slot.ts'

/** P[Binomial(n, q) > most], by summing the probabilities themselves. */
function tail(n: number, q: number, most: number): number {
  let log = 0
  let sum = 0
  for (let k = 0; k <= n; k++) {
    log = k === 0 ? n * Math.log1p(-q) : log + Math.log((n - k + 1) / k) + Math.log(q) - Math.log1p(-q)
    if (k > most) sum += Math.exp(log)
  }
  return sum
}

describe('the members that the lots of a round hardly ever exceed', () => {
  it.each([
    [1500, 0.0853, 5],
    [1500, 0.0853, 1],
    [100, 0.5, 10],
    [40, 0.01, 3],
    [10_000, 0.001, 10],
  ])(
    '%d records at rate %d, %d steps: within the probability, and not by much more than a standard deviation',
    (declaredRecords, sampleRate, steps) => {
      const most = mostMembers({ declaredRecords, sampleRate, steps })
      const n = declaredRecords * steps
      expect(tail(n, sampleRate, most)).toBeLessThanOrEqual(MISS_PROBABILITY)
      const spread = Math.ceil(1 + Math.sqrt(n * sampleRate * (1 - sampleRate)))
      expect(tail(n, sampleRate, most - spread)).toBeGreaterThan(MISS_PROBABILITY)
    },
  )

  it('are the least that the bound of Hoeffding proves', () => {
    const [coins, rate] = [7500, 0.0853]
    const bound = (members: number) => {
      const share = members / coins
      return Math.exp(-coins * (share * Math.log(share / rate) + (1 - share) * Math.log((1 - share) / (1 - rate))))
    }
    const most = mostMembers({ declaredRecords: 1500, sampleRate: rate, steps: 5 })
    expect(bound(most + 1)).toBeLessThanOrEqual(MISS_PROBABILITY)
    expect(bound(most)).toBeGreaterThan(MISS_PROBABILITY)
  })

  it('are all of them at sampleRate 1, and never more than there are', () => {
    expect(mostMembers({ declaredRecords: 1500, sampleRate: 1, steps: 3 })).toBe(4500)
    expect(mostMembers({ declaredRecords: 2, sampleRate: 0.9, steps: 1 })).toBe(2)
  })

  it('refuses terms that are none', () => {
    expect(() => mostMembers({ declaredRecords: 0, sampleRate: 0.1, steps: 1 })).toThrow(/CONFIG_INVALID/)
    expect(() => mostMembers({ declaredRecords: 10, sampleRate: 0, steps: 1 })).toThrow(/CONFIG_INVALID/)
    expect(() => mostMembers({ declaredRecords: 10, sampleRate: Number.NaN, steps: 1 })).toThrow(/CONFIG_INVALID/)
  })
})
