import { describe, expect, it } from 'vitest'
import { finiteEpsilon, mechanismKey, mergeEvents } from './events.ts'

const event = { sampleRate: 0.1, noiseMultiplier: 2, steps: 3 }

describe('the key of a mechanism', () => {
  it('is the same for any number of steps, and another for another rate or noise', () => {
    expect(mechanismKey({ ...event, steps: 9 } as typeof event)).toBe(mechanismKey(event))
    const others = [
      { ...event, sampleRate: 0.1 + 2 ** -56 },
      { ...event, noiseMultiplier: 2 + 2 ** -51 },
    ]
    expect(new Set([event, ...others].map(mechanismKey)).size).toBe(3)
    expect(mergeEvents([event, event, ...others]).map(({ steps }) => steps)).toEqual([6, 3, 3])
  })
})

describe('an epsilon without a bound', () => {
  it('is a number that JSON can say, above every budget; any other stays as it is', () => {
    expect(JSON.parse(JSON.stringify(finiteEpsilon(Number.POSITIVE_INFINITY)))).toBe(Number.MAX_VALUE)
    expect([0, 0.1, Number.MAX_VALUE].map(finiteEpsilon)).toEqual([0, 0.1, Number.MAX_VALUE])
  })
})
