import { describe, expect, it } from 'vitest'
import { significant, upperBound } from './figures.ts'

describe('figures in tables', () => {
  it('have four digits', () => {
    expect([3, 0, 0.760_812, 12_345.6].map(significant)).toEqual(['3', '0', '0.7608', '12350'])
  })

  it('are rounded up where they are upper bounds', () => {
    expect([0, 6, 5.9201, 5.92, 1e-7 / 3].map(upperBound)).toEqual(['0', '6', '5.921', '5.92', '3.334e-8'])
    for (const value of [0.123_456, 99.999_9, 1234.56]) expect(Number(upperBound(value))).toBeGreaterThanOrEqual(value)
    expect(upperBound(Number.POSITIVE_INFINITY)).toBe('Infinity')
  })
})
