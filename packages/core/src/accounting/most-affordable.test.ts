import { describe, expect, it } from 'vitest'
import { mostAffordable } from './most-affordable.ts'

describe('what a budget affords', () => {
  it.each([0, 1, 2, 7, 8, 99, 100])('is found wherever the last one is: %d', (last) => {
    const asked: number[] = []
    const affords = (count: number) => {
      asked.push(count)
      return count <= last
    }
    expect(mostAffordable(100, affords)).toBe(last)
    expect(asked.length).toBeLessThanOrEqual(8)
    expect(mostAffordable(50, affords)).toBe(Math.min(50, last))
    expect(mostAffordable(0, affords)).toBe(0)
  })
})
