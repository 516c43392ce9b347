import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closedFormEpsilon } from './closed-form.ts'
import { pld } from './pld.ts'
import { rdp } from './rdp.ts'

const positive = (least: number, most: number) =>
  fc.double({ min: Math.log(least), max: Math.log(most), noNaN: true }).map((log) => Math.exp(log))

describe('the bound that is valid at once', () => {
  it('lies above what the tighter accountants prove, over the range of a run', () => {
    const event = fc.record({
      sampleRate: positive(1e-4, 1),
      noiseMultiplier: positive(0.3, 100),
      steps: fc.integer({ min: 1, max: 5000 }),
    })
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 2 }), positive(1e-9, 0.1), (events, delta) => {
        const bound = closedFormEpsilon(events, delta)
        expect(bound).toBeGreaterThanOrEqual(pld.epsilonUpperBound(events, delta) * (1 - 1e-3))
        expect(bound).toBeGreaterThanOrEqual(rdp.epsilonUpperBound([{ ...events[0]!, steps: 1 }], delta) * (1 - 1e-3))
      }),
      { numRuns: 12, seed: 7 },
    )
  })

  it('is what the formula says for one Gaussian', () => {
    const event = { sampleRate: 1, noiseMultiplier: 2, steps: 4 }
    expect(closedFormEpsilon([event], 1e-5)).toBeCloseTo(0.5 + 2 * Math.sqrt(0.5 * Math.log(1e5)), 10)
    expect(closedFormEpsilon([], 1e-5)).toBe(0)
  })

  it('answers a number or infinity, never less than nothing, whatever the numbers are', () => {
    const anything = fc.oneof(fc.double(), fc.constantFrom(1e-300, 1e300, 0, Number.NaN, 2 ** 31 - 1))
    const event = fc.record({ sampleRate: anything, noiseMultiplier: anything, steps: anything })
    fc.assert(
      fc.property(fc.array(event), anything, (events, delta) => {
        expect(closedFormEpsilon(events, delta)).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 500, seed: 7 },
    )
    expect(closedFormEpsilon([{ sampleRate: 0.1, noiseMultiplier: 1e-300, steps: 1 }], 1e-5)).toBe(
      Number.POSITIVE_INFINITY,
    )
  })
})
