import {
  chiSquareScore,
  correlationScore,
  countIntegers,
  countQuarters,
  discreteGaussianCells,
  gaussianQuarters,
  IMPLAUSIBLE,
} from '@fedsvd/testing/core/goodness-of-fit'
import { referenceDiscreteGaussian } from '@fedsvd/testing/core/reference-discrete-gaussian'
import { scriptedSource } from '@fedsvd/testing/core/scripted-source'
import { describe, expect, it } from 'vitest'
import { discreteGaussian } from './discrete-gaussian.ts'
import { exponentOf, type ProposalTable, proposalTable, TAIL_WEIGHT } from './discrete-gaussian-table.ts'
import { expInterval } from './exact-exp.ts'
import { seededSource } from './seeded.ts'
import { RandomBits, type RandomSource } from './source.ts'

function draw(
  sigma: number,
  count: number,
  source: RandomSource = seededSource('discrete gaussian', sigma),
): Float64Array {
  const out = new Float64Array(count)
  discreteGaussian(sigma).fill(source, out)
  return out
}

describe('the distribution, with power both ways', () => {
  it.each([0.1, 0.5, 0.7, 2.5, 30, 170.5])('sigma %d fits its own definition and no other', (sigma) => {
    const reach = Math.ceil(5 * sigma)
    const counts = countIntegers(draw(sigma, 200_000), reach)
    const score = (assumed: number) => chiSquareScore(counts, discreteGaussianCells(assumed, reach))
    if (sigma === 0.1) return expect(counts[reach + 1]).toBe(200_000) // P(x = 1) is exp(-50)
    expect(Math.abs(score(sigma))).toBeLessThan(IMPLAUSIBLE)
    expect(score((sigma * 2) / 3)).toBeGreaterThan(IMPLAUSIBLE)
    expect(score((sigma * 3) / 2)).toBeGreaterThan(IMPLAUSIBLE)
    expect(score(sigma ** 2)).toBeGreaterThan(IMPLAUSIBLE) // sigma taken for a variance, or the reverse
    expect(score(sigma * 1.05)).toBeGreaterThan(IMPLAUSIBLE)
  })

  it.each([0.7 * 2 ** 18, 2.5 * 2 ** 18, 1e7, 6e10])(
    'sigma %d of a grid is Gaussian at its scale and no other',
    (sigma) => {
      const counts = countQuarters(draw(sigma, 400_000), sigma)
      const score = (assumed: number) => chiSquareScore(counts, gaussianQuarters(assumed, sigma))
      expect(Math.abs(score(sigma))).toBeLessThan(IMPLAUSIBLE)
      expect(score((sigma * 2) / 3)).toBeGreaterThan(IMPLAUSIBLE)
      expect(score((sigma * 3) / 2)).toBeGreaterThan(IMPLAUSIBLE)
      expect(score(sigma * 1.02)).toBeGreaterThan(IMPLAUSIBLE)
    },
  )

  it('uses the whole grid: the low bits are uniform where sigma is large', () => {
    const samples = draw(1.3e6, 400_000)
    for (const modulus of [2, 64, 1000]) {
      const counts = Array.from({ length: modulus }, () => 0)
      for (const x of samples) counts[((x % modulus) + modulus) % modulus]!++
      expect(
        Math.abs(
          chiSquareScore(
            counts,
            counts.map(() => 1 / modulus),
          ),
        ),
      ).toBeLessThan(IMPLAUSIBLE)
    }
    expect(samples.every(Number.isInteger)).toBe(true)
  })

  it('agrees with the rejection sampler of Canonne, Kamath and Steinke, which shares no code with it', () => {
    const sigma = 3
    const source = new RandomBits(seededSource('reference'))
    const reference = Float64Array.from({ length: 60_000 }, () => referenceDiscreteGaussian(source, sigma))
    const table = draw(sigma, 2_000_000)
    const frequencies = (samples: Float64Array) => countIntegers(samples, 15)
    const seen = frequencies(table).map((count) => count / table.length)
    expect(Math.abs(chiSquareScore(frequencies(reference), seen))).toBeLessThan(IMPLAUSIBLE)
    expect(chiSquareScore(frequencies(reference), discreteGaussianCells(2, 15))).toBeGreaterThan(IMPLAUSIBLE)
  })

  it('draws coordinates that are independent of each other, in value and in size', () => {
    for (const sigma of [0.7, 2.5, 0.7 * 2 ** 18]) {
      const samples = draw(sigma, 200_000)
      const sizes = samples.map(Math.abs)
      for (const lag of [1, 2, 3, 64, 16_384]) {
        expect(Math.abs(correlationScore(samples, samples.subarray(lag)))).toBeLessThan(IMPLAUSIBLE)
        expect(Math.abs(correlationScore(sizes, sizes.subarray(lag)))).toBeLessThan(IMPLAUSIBLE)
      }
      const smeared = samples.map((x, i) => x + 0.05 * (samples[i + 1] ?? 0))
      expect(correlationScore(smeared, smeared.subarray(1))).toBeGreaterThan(IMPLAUSIBLE) // 5 % of a neighbour is seen
    }
  })
})

describe('the table, in integers', () => {
  const PRECISION = 200
  /** The acceptance probability of magnitude y in bin b, as a fraction of 2^PRECISION. */
  const acceptance = ({ scale, weight, sigma }: ProposalTable, b: number, y: number) => {
    const { low, high } = expInterval(exponentOf(BigInt(y), sigma), PRECISION)
    return { low: (scale * low) / BigInt(weight[b]!), high: (scale * high) / BigInt(weight[b]!) + 1n }
  }

  it.each([0.5, 2.5, 300, 0.7 * 2 ** 18, 1e7, 2 ** 36])(
    'sigma %d: every weight covers its bin, and 2^32 is covered',
    (sigma) => {
      const table = proposalTable(sigma)
      const { bins, width, weight, head, sure } = table
      expect(bins * width).toBeGreaterThanOrEqual(12 * sigma)
      expect(width).toBeLessThanOrEqual(2 ** 31)
      const one = 1n << BigInt(PRECISION)
      for (let b = 0; b < bins; b += Math.ceil(bins / 60)) {
        const start = acceptance(table, b, b * width)
        const end = acceptance(table, b, (b + 1) * width - 1)
        expect(start.high <= one + 1n).toBe(true)
        expect(Math.abs(Number(start.low) / 2 ** PRECISION - head[b]!)).toBeLessThan(2 ** -52)
        expect(BigInt(sure[b]!) << BigInt(PRECISION - 32) <= end.low).toBe(true)
      }
      const spare = 2 ** 32 - TAIL_WEIGHT - weight.reduce((sum, w) => sum + w, 0)
      expect(spare).toBeGreaterThan(0)
      expect(spare).toBeLessThan(2 * bins + 10) // the proposal wastes at most this much of 2^32
    },
  )

  it('accepts nearly every proposal without computing an exponential', () => {
    const { weight, sure } = proposalTable(0.7 * 2 ** 18)
    const quick = weight.reduce((sum, w, b) => sum + (w / 2 ** 32) * (sure[b]! / 2 ** 32), 0)
    expect(quick).toBeGreaterThan(0.98)
  })
})

describe('the branches that random bits almost never reach', () => {
  const sigma = 0.7 * 2 ** 18
  const table = proposalTable(sigma)
  const { columns, width, bins } = table

  /** A word that picks the given bin in the alias table. */
  function wordFor(bin: number): number {
    const shift = 32 - columns.columnBits
    const column = columns.alias.findIndex((alias, c) => alias === bin && columns.threshold[c]! < 2 ** shift)
    return columns.threshold[bin]! > 0 ? bin * 2 ** shift : column * 2 ** shift + columns.threshold[column]!
  }
  const first = (words: number[]) => {
    const out = new Float64Array(1)
    discreteGaussian(sigma).fill(scriptedSource([...words, 0, 5, 0], seededSource('rest')), out)
    return out[0]!
  }
  const NEXT = 5 // bin 0, place 5, u 0: what the words appended above produce after a rejection

  it('follows the acceptance probability to the 96th bit', () => {
    const [bin, r] = [700, width - 2]
    const y = bin * width + r
    const { low } = expInterval(exponentOf(BigInt(y), table.sigma), 300)
    const a = (table.scale * low) / BigInt(table.weight[bin]!)
    const [u, v, w] = [268n, 236n, 204n].map((shift) => Number((a >> shift) & 0xffffffffn))
    expect(u).toBeGreaterThanOrEqual(table.sure[bin]!)
    expect(first([wordFor(bin), r, u!, v!, w! - 1])).toBe(y)
    expect(first([wordFor(bin), r + 2 ** 31, u!, v!, w! - 1])).toBe(-y)
    expect(first([wordFor(bin), r, u!, v!, w! + 1])).toBe(NEXT)
    expect(first([wordFor(bin), r, u! - 1])).toBe(y)
    expect(first([wordFor(bin), r, u! + 1])).toBe(NEXT)
  })

  it('counts zero once: minus zero is rejected', () => {
    expect(first([0, 0, 0])).toBe(0)
    expect(first([0, 2 ** 31, 0])).toBe(NEXT)
  })

  it('reaches beyond the bins, and accepts there with exactly the missing probability', () => {
    const start = BigInt(bins * width)
    // one head (odd), then tails (even): the second shell; then the place in it
    const size = 2n * start
    const place = 123_456
    const y = size + BigInt(place)
    const { low } = expInterval(exponentOf(y, table.sigma), 1000)
    const a = (table.scale * low * size * 4n) / BigInt(width) // scale rho(y) / (width 2^32) over 2^-32 (1/4) (1/size)
    const digits = Array.from({ length: 24 }, (_, i) => Number((a >> BigInt(1000 - 32 * (i + 1))) & 0xffffffffn))
    const pick = [wordFor(bins), 7, 0, 1, 0, place]
    expect(digits[0]).toBe(0)
    expect(first([...pick, ...digits.slice(0, 23), digits[23]! - 1])).toBe(Number(y))
    expect(first([...pick, ...digits.slice(0, 23), digits[23]! + 1])).toBe(NEXT)
    expect(first([...pick, 1])).toBe(NEXT)
  })

  it('rejects the column that takes up what is left of 2^32', () => {
    expect(first([wordFor(bins + 1), 7, 0])).toBe(NEXT)
  })

  it('gives up with a clear error when the bits never allow a sample', () => {
    const stuck: RandomSource = { kind: 'seeded', fill: (bytes) => void bytes.fill(0xff) }
    expect(() => discreteGaussian(0.1).fill(stuck, new Float64Array(1))).toThrow('NOISE_INVALID')
  })
})

describe('what it refuses', () => {
  it.each([0, -1, 0.05, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40])('sigma %d', (sigma) => {
    expect(() => discreteGaussian(sigma)).toThrow('NOISE_INVALID')
  })

  it('fills nothing when asked for nothing', () => {
    expect(draw(2.5, 0)).toHaveLength(0)
  })
})
