import { chiSquareScore, countQuarters, gaussianQuarters, IMPLAUSIBLE } from '@fedsvd/testing/core/goodness-of-fit'
import { asOperatingSystem } from '@fedsvd/testing/core/scripted-source'
import { describe, expect, it } from 'vitest'
import type { PrivacyEvent } from '../accounting/index.ts'
import { seededSource } from '../random/index.ts'
import { flatNorm, type NamedTensor } from '../tensor/index.ts'
import { beginClientLevelRound, type ClientLevelOptions } from './client-level.ts'
import { reservationFrom } from './reservation.ts'
import { GRID_BITS, gridOf, gridSensitivity } from './sensitivity.ts'

const SIZE = 50_000
const SPECS = [{ name: 'b', shape: [SIZE] }]
const CLIP = 2
const event: PrivacyEvent = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 1,
  noiseMultiplier: 0.7,
  steps: 1,
  clipNorm: CLIP,
  relation: 'add-or-remove-one',
  unit: 'client',
}

function round(changes: Partial<PrivacyEvent> = {}, options: Partial<ClientLevelOptions> = {}) {
  const reserved = { ...event, ...changes }
  const reservation = reservationFrom({
    event: reserved,
    runId: 'run',
    round: 0,
    attempt: 0,
    datasetFingerprint: 'cohort',
    entryHash: 'hash',
    durable: true,
  })
  return beginClientLevelRound({
    specs: SPECS,
    reservation,
    clipNorm: reserved.clipNorm,
    noiseMultiplier: reserved.noiseMultiplier,
    expectedClients: 4,
    source: asOperatingSystem(seededSource('central noise')),
    ...options,
  })
}

const delta = (fill: number): NamedTensor[] => [{ name: 'b', shape: [SIZE], data: new Float32Array(SIZE).fill(fill) }]
const unit = (gridSensitivity({ dimension: SIZE, gridBits: GRID_BITS }) * gridOf(CLIP)) / 4

describe('client-level rounds', () => {
  it.each([0.7, 2.5])('noise a round without answers at multiplier %d, not 2/3 or 3/2 of it', (noiseMultiplier) => {
    const { data } = round({ noiseMultiplier }).finish().tensors[0]!
    const scale = noiseMultiplier * unit
    const counts = countQuarters(data, scale)
    const score = (assumed: number) => chiSquareScore(counts, gaussianQuarters(assumed * scale, scale))
    expect(Math.abs(score(1))).toBeLessThan(IMPLAUSIBLE)
    expect(score(2 / 3)).toBeGreaterThan(IMPLAUSIBLE)
    expect(score(3 / 2)).toBeGreaterThan(IMPLAUSIBLE)
  })

  it('weigh clients equally: one client moves the mean by at most clipNorm over the constant, however loud', () => {
    const without = round()
    const loud = round()
    loud.add('loud', delta(1e20))
    const silent = without.finish().tensors[0]!.data
    const moved = loud.finish().tensors[0]!.data.map((value, i) => value - silent[i]!)
    const norm = flatNorm([{ name: 'difference', shape: [SIZE], data: moved }])
    expect(norm).toBeLessThanOrEqual(unit * (1 + 1e-4))
    expect(norm).toBeGreaterThan(0.99 * (CLIP / 4))
  })

  it('leave short deltas as they are: the mean is their sum over the constant', () => {
    const small = 0.9 * (CLIP / Math.sqrt(SIZE))
    const given = round()
    for (const client of ['a', 'b', 'c']) given.add(client, delta(small))
    const silent = round().finish().tensors[0]!.data
    const mean = given.finish().tensors[0]!.data.reduce((sum, value, i) => sum + value - silent[i]!, 0) / SIZE
    expect(mean / ((3 * small) / 4)).toBeCloseTo(1, 3)
  })

  it('trap: a delta of norm zero divides by zero. It adds nothing, and what is released is finite', () => {
    const given = round()
    given.add('zero', delta(0))
    const { tensors } = given.finish()
    expect(tensors).toEqual(round().finish().tensors)
    expect(tensors[0]!.data.every(Number.isFinite)).toBe(true)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'trap: %d passes the clip. It is refused, and the client may not have been counted',
    (value) => {
      const given = round()
      const bad = new Float32Array(SIZE).fill(1)
      bad[SIZE - 1] = value
      expect(() => given.add('a', [{ name: 'b', shape: [SIZE], data: bad }])).toThrow('NOT_FINITE')
      given.add('a', delta(0))
      expect(given.finish().tensors).toEqual(round().finish().tensors)
    },
  )

  it('trap: weights that depend on the cohort. The divisor is a constant, whoever answers', () => {
    const small = 0.9 * (CLIP / Math.sqrt(SIZE))
    const silent = round().finish().tensors[0]!.data
    const moved = [1, 2, 8].map((clients) => {
      const given = round()
      for (let client = 0; client < clients; client++) given.add(String(client), delta(small))
      const sum = given.finish().tensors[0]!.data.reduce((total, value, i) => total + value - silent[i]!, 0)
      return sum / clients
    })
    for (const each of moved) expect(each / moved[0]!).toBeCloseTo(1, 3)
  })

  it('count a client once, and keep the sum when a delta is refused', () => {
    const given = round()
    expect(() => given.add('a', delta(Number.NaN))).toThrow('NOT_FINITE')
    expect(() => given.add('a', [])).toThrow('SHAPE_MISMATCH')
    expect(given.finish().tensors).toEqual(round().finish().tensors)
    const twice = round()
    twice.add('a', delta(1))
    expect(() => twice.add('a', delta(1))).toThrow('UPDATE_CONFLICT')
  })

  it('end once, and say what their noise was made of', () => {
    const given = round()
    expect(given.finish()).toMatchObject({ randomness: 'secure', reserved: { event } })
    expect(() => given.finish()).toThrow('STEP_ORDER')
    expect(() => given.add('a', delta(1))).toThrow('STEP_ORDER')
    expect(round({}, { source: seededSource('x') }).finish().randomness).toBe('NOT PRIVATE')
  })

  it('trap: amplification counted for clients whose selection is known. sampleRate below 1 is refused', () => {
    expect(() => round({ sampleRate: 0.5 })).toThrow('TERMS_CHANGED')
  })

  it('fail closed', () => {
    expect(() => round({}, { reservation: {} as never })).toThrow('RESERVATION_MISSING')
    expect(() => round({ unit: 'record' })).toThrow('TERMS_CHANGED')
    expect(() => round({ steps: 2 })).toThrow('TERMS_CHANGED')
    expect(() => round({}, { clipNorm: 3 })).toThrow('TERMS_CHANGED')
    expect(() => round({}, { noiseMultiplier: 0.5 })).toThrow('TERMS_CHANGED')
    expect(() => round({}, { expectedClients: 0 })).toThrow('NOISE_INVALID')
  })
})
