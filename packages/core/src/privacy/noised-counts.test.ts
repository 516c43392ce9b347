import { describe, expect, it } from 'vitest'
import type { PrivacyEvent } from '../accounting/index.ts'
import { seededSource } from '../random/index.ts'
import { assertNoisedCounts, beginCounts } from './noised-counts.ts'
import { reservationFrom } from './reservation.ts'

const event: PrivacyEvent = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 1,
  noiseMultiplier: 2,
  steps: 1,
  clipNorm: 1,
  relation: 'add-or-remove-one',
  unit: 'record',
}
const reserve = (changes: Partial<PrivacyEvent> = {}) =>
  reservationFrom({
    event: { ...event, ...changes },
    runId: 'run',
    round: 1,
    attempt: 1,
    datasetFingerprint: 'data',
    entryHash: 'hash',
    durable: true,
  })
const noise = (seed = 'noise') => ({ noiseMultiplier: 2, source: seededSource(seed) })

describe('a sum of counts', () => {
  it('moves by the vector of each unit within the bound, and by nothing of any other', () => {
    const sum = beginCounts({ cells: 2, bound: 5 })
    const without = beginCounts({ cells: 2, bound: 5 })
    for (const one of [sum, without]) one.add([3, 4])
    for (const odd of [[3, 5], [4, 4], [-5, 1], [0.5, 0], [Number.NaN, 0], [1], [1, 1, 1], [1e200, 0]]) sum.add(odd)
    expect([sum.leftOut, without.leftOut]).toEqual([8, 0])
    const noised = sum.noised({ reservation: reserve(), ...noise() })
    expect([...noised.values]).toEqual([...without.noised({ reservation: reserve(), ...noise() }).values])
  })

  it('has whole noise of the standard deviation that was paid for, by both sides', () => {
    const cells = 20_000
    const { values } = beginCounts({ cells, bound: 50 }).noised({ reservation: reserve(), ...noise() })
    expect(values.every(Number.isInteger)).toBe(true)
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / cells)
    expect(deviation / Math.hypot(100, 3)).toBeCloseTo(1, 1)
  })

  it('is noised once, by a reservation of its own, for exactly this event', () => {
    const sum = beginCounts({ cells: 1, bound: 1 })
    const reservation = reserve()
    sum.noised({ reservation, ...noise() })
    expect(() => sum.noised({ reservation: reserve(), ...noise() })).toThrow('STEP_ORDER')
    expect(() => sum.add([1])).toThrow('STEP_ORDER')
    const again = () => beginCounts({ cells: 1, bound: 1 })
    expect(() => again().noised({ reservation, ...noise() })).toThrow('RESERVATION_MISSING')
    for (const changes of [{ noiseMultiplier: 3 }, { sampleRate: 0.5 }, { steps: 2 }, { unit: 'client' as const }]) {
      expect(() => again().noised({ reservation: reserve(changes), ...noise() })).toThrow('TERMS_CHANGED')
    }
    expect(() => again().noised({ reservation: {} as never, ...noise() })).toThrow('RESERVATION_MISSING')
  })

  it('says what its noise was, and is found out where it was made by hand', () => {
    const noised = beginCounts({ cells: 1, bound: 1 }).noised({ reservation: reserve(), ...noise() })
    expect(noised.randomness).toBe('NOT PRIVATE')
    assertNoisedCounts(noised)
    expect(() => assertNoisedCounts({ ...noised })).toThrow('RESERVATION_MISSING')
    expect(() => beginCounts({ cells: 1, bound: 2 ** 21 })).toThrow(RangeError)
  })
})
