import { chiSquareScore, correlationScore, IMPLAUSIBLE } from '@fedsvd/testing/core/goodness-of-fit'
import { scriptedSource } from '@fedsvd/testing/core/scripted-source'
import { describe, expect, it } from 'vitest'
import { drawPoissonLot } from './poisson.ts'
import { seededSource } from './seeded.ts'
import { RandomBits, type RandomSource } from './source.ts'
import { chosen } from './uniform.ts'

type Sampler = (source: RandomSource, records: number, sampleRate: number) => Iterable<number>

const RECORDS = 50
const RATE = 0.07
const LOTS = 40_000

/** What there is to say about many lots: their sizes, and for each record whether it was in each lot. */
function observe(sampler: Sampler) {
  const source = new RandomBits(seededSource('lots'))
  const sizes: number[] = []
  const member = Array.from({ length: RECORDS }, () => new Uint8Array(LOTS))
  for (let lot = 0; lot < LOTS; lot++) {
    let size = 0
    for (const record of sampler(source, RECORDS, RATE)) {
      member[record]![lot] = 1
      size++
    }
    sizes.push(size)
  }
  return { sizes, member }
}

function binomial(n: number, p: number): number[] {
  const cells = [(1 - p) ** n]
  for (let k = 1; k <= n; k++) cells.push((cells[k - 1]! * (n - k + 1) * p) / (k * (1 - p)))
  return cells
}

function sizeScore(sizes: number[]): number {
  const counts = Array.from({ length: RECORDS + 1 }, () => 0)
  for (const size of sizes) counts[size]!++
  return chiSquareScore(counts, binomial(RECORDS, RATE))
}

describe('trap: Poisson accounted, shuffled batches executed', () => {
  const poisson = observe(drawPoissonLot)
  const fixedSize = observe((source, records, rate) =>
    chosen(
      source,
      Array.from({ length: records }, (_, i) => i),
      Math.round(records * rate),
    ),
  )

  it('the size of a lot is binomial, empty lots included; a fixed batch size is found out', () => {
    expect(Math.abs(sizeScore(poisson.sizes))).toBeLessThan(IMPLAUSIBLE)
    expect(sizeScore(fixedSize.sizes)).toBeGreaterThan(IMPLAUSIBLE)
    const empty = poisson.sizes.filter((size) => size === 0).length
    expect(empty / LOTS).toBeCloseTo((1 - RATE) ** RECORDS, 2) // 0.0266
    expect(fixedSize.sizes).not.toContain(0)
  })

  it('the variance of the size is n q (1 - q)', () => {
    const mean = poisson.sizes.reduce((sum, size) => sum + size, 0) / LOTS
    const variance = poisson.sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / LOTS
    expect(mean).toBeCloseTo(RECORDS * RATE, 1)
    expect(variance).toBeCloseTo(RECORDS * RATE * (1 - RATE), 0)
  })

  it('each record is in a lot with probability q; 1.1 q would be found out', () => {
    const counts = poisson.member.map((lots) => lots.reduce((sum, bit) => sum + bit, 0))
    const score = (rate: number) =>
      counts.reduce((sum, count) => sum + (count - LOTS * rate) ** 2 / (LOTS * rate * (1 - rate)), 0)
    expect(score(RATE)).toBeGreaterThan(15) // chi-square with 50 degrees of freedom
    expect(score(RATE)).toBeLessThan(120)
    expect(score(1.1 * RATE)).toBeGreaterThan(120)
  })

  it('records enter independently of each other, and lots of each other', () => {
    for (const [a, b] of [
      [0, 1],
      [3, 40],
      [48, 49],
    ] as const) {
      expect(Math.abs(correlationScore(poisson.member[a]!, poisson.member[b]!))).toBeLessThan(4.5)
    }
    expect(Math.abs(correlationScore(poisson.member[5]!, poisson.member[5]!.subarray(1)))).toBeLessThan(4.5)
    expect(Math.abs(correlationScore(poisson.sizes, poisson.sizes.slice(1)))).toBeLessThan(4.5)
  })
})

describe('the coin is exact', () => {
  const lot = (words: number[], rate: number) =>
    [...drawPoissonLot(scriptedSource(words, seededSource('rest')), 1, rate)].length === 1

  it('compares with all the digits of the double', () => {
    expect(lot([2 ** 31 - 1], 0.5)).toBe(true)
    expect(lot([2 ** 31], 0.5)).toBe(false)
    // 2^-40: the first word must be 0 and the second below 2^24
    expect(lot([0, 2 ** 24 - 1], 2 ** -40)).toBe(true)
    expect(lot([0, 2 ** 24], 2 ** -40)).toBe(false)
    expect(lot([1, 0], 2 ** -40)).toBe(false)
    // 0.1 is 0x1999999a00000000 p-64: the double rounds the endless 0x1999.. up
    expect(lot([0x19999999, 0x99999fff], 0.1)).toBe(0x99999fff < ((0.1 * 2 ** 32) % 1) * 2 ** 32)
    expect(lot([0x19999998, 2 ** 32 - 1], 0.1)).toBe(true)
    expect(lot([0x1999999a, 0], 0.1)).toBe(false)
  })

  it('at rate 1 draws every record, and of none draws none', () => {
    expect([...drawPoissonLot(seededSource('all'), 5, 1)]).toEqual([0, 1, 2, 3, 4])
    expect(drawPoissonLot(seededSource('none'), 0, 0.5)).toHaveLength(0)
  })

  it.each([
    [10, 0],
    [10, 1.0001],
    [10, Number.NaN],
    [-1, 0.5],
    [1.5, 0.5],
  ])('refuses %d records at rate %d', (records, rate) => {
    expect(() => drawPoissonLot(seededSource('x'), records, rate)).toThrow('NOISE_INVALID')
  })
})
