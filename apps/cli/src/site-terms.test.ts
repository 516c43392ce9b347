import { describe, expect, it } from 'vitest'
import { mostRecords, requireJoinable } from './site-terms.ts'

describe('terms that a client would refuse when it joins', () => {
  it.each([
    [
      { records: 100, delta: 0.011 },
      /DELTA_TOO_LARGE: expected delta of at most 1 \/ records, which is 1\.00e-2, got delta 0\.011/,
    ],
    [
      { records: 200, delta: 1e-5, lot: 256 },
      /CONFIG_INVALID: expected a lot of at most the 200 records .*got --lot 256/,
    ],
  ])('%j', (terms, message) => {
    expect(() => requireJoinable(terms)).toThrow(message)
  })

  it('the largest that it takes are no such', () => {
    for (const records of [1, 3, 49, 100, 99_999, 100_000]) {
      requireJoinable({ records, delta: Math.min(0.99, 1 / records), lot: records })
      expect(mostRecords(1 / records)).toBe(records)
    }
    for (const delta of [1e-5, 3e-7, 0.3, 0.99, 0.017]) {
      const most = mostRecords(delta)
      expect(delta).toBeLessThanOrEqual(1 / most)
      expect(delta).toBeGreaterThan(1 / (most + 1))
    }
  })
})
