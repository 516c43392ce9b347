import { describe, expect, it } from 'vitest'
import { backOff } from './back-off.ts'

const first = (count: number, random: () => number) => {
  const waits = backOff(random)
  return Array.from({ length: count }, () => waits.next().value)
}

describe('backOff', () => {
  it('doubles from 250 ms to 15 s and stays there', () => {
    expect(first(9, () => 1)).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
  })

  it('draws each wait from the upper half of its span', () => {
    expect(first(9, () => 0)).toEqual(first(9, () => 1).map((span) => span / 2))
  })

  it('bridges ten minutes without a coordinator in less than a hundred attempts', () => {
    const attempts = first(100, () => 0)
    expect(attempts.reduce((sum, wait) => sum + wait, 0)).toBeGreaterThan(600_000)
  })
})
