import { randomFillSync } from 'node:crypto'
import { chiSquareScore, countQuarters, gaussianQuarters, IMPLAUSIBLE } from '@fedsvd/testing/core/goodness-of-fit'
import { scriptedSource } from '@fedsvd/testing/core/scripted-source'
import { describe, expect, it } from 'vitest'
import { fillGaussian } from './gaussian.ts'
import { seededSource } from './seeded.ts'
import { RandomBits, type RandomSource } from './source.ts'
import { chosen, shuffled, uniform, uniformBelow } from './uniform.ts'

const wordsOf = (source: RandomSource, count: number) => {
  const bits = new RandomBits(source)
  return Array.from({ length: count }, () => bits.uint32())
}

describe('RandomBits', () => {
  it('hands out each byte of its source once and in order, however it grows', () => {
    let counter = 0
    const counting: RandomSource = {
      kind: 'seeded',
      fill: (bytes) => {
        expect(bytes.length).toBeLessThanOrEqual(65_536)
        new Uint32Array(bytes.buffer).forEach((_, i, all) => {
          all[i] = counter++
        })
      },
    }
    expect(wordsOf(counting, 70_000)).toEqual(Array.from({ length: 70_000 }, (_, i) => i))
  })

  it('fills bytes of any length from its words', () => {
    const bytes = new Uint8Array(7)
    new RandomBits(scriptedSource([0x04030201, 0x08070605], seededSource('rest'))).fill(bytes)
    expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('joins 21 and 32 bits into 53', () => {
    const bits = new RandomBits(scriptedSource([2 ** 32 - 1, 2 ** 32 - 1, 1 << 11, 3], seededSource('rest')))
    expect(bits.uint53()).toBe(2 ** 53 - 1)
    expect(bits.uint53()).toBe(2 ** 32 + 3)
  })

  it('takes a reader for what it is, so that two functions can share one buffer', () => {
    const bits = new RandomBits(seededSource('x'))
    expect(RandomBits.from(bits)).toBe(bits)
  })

  it('works on the generator of the operating system', () => {
    const counts = Array.from({ length: 256 }, () => 0)
    const bits = new RandomBits({ kind: 'os-csprng', fill: (bytes) => void randomFillSync(bytes) })
    for (let i = 0; i < 100_000; i++) counts[bits.uint32() & 255]!++
    expect(
      Math.abs(
        chiSquareScore(
          counts,
          counts.map(() => 1 / 256),
        ),
      ),
    ).toBeLessThan(IMPLAUSIBLE)
  })

  it('refuses an operating system whose generator does nothing or repeats itself', () => {
    const idle: RandomSource = { kind: 'os-csprng', fill: () => {} }
    expect(() => new RandomBits(idle).uint32()).toThrow('NOISE_INVALID')
    const repeating: RandomSource = { kind: 'os-csprng', fill: (bytes) => bytes.set(bytes.map((_, i) => i)) }
    expect(() => wordsOf(repeating, 65)).toThrow('NOISE_INVALID')
    expect(wordsOf(repeating, 64)).toHaveLength(64)
  })
})

describe('seededSource', () => {
  it('repeats itself, on every platform', () => {
    expect(wordsOf(seededSource('run-7', 'layer', 3), 1000)).toEqual(wordsOf(seededSource('run-7', 'layer', 3), 1000))
    expect(wordsOf(seededSource('fedsvd'), 3)).toEqual([2166629441, 3276712481, 685385999])
  })

  it('trap: one seed for every tensor. Paths, and their boundaries, make streams differ', () => {
    const streams = [
      seededSource('a'),
      seededSource('a', 'b'),
      seededSource('ab'),
      seededSource('a', 1),
      seededSource('a', '1'),
      seededSource('a', 'b', 'c'),
      seededSource('a', 'b","c'),
    ].map((source) => wordsOf(source, 4).join())
    expect(new Set(streams).size).toBe(streams.length)
  })

  it('says that it is seeded', () => {
    expect(seededSource('x').kind).toBe('seeded')
    expect(new RandomBits(seededSource('x')).kind).toBe('seeded')
  })
})

describe('uniform draws', () => {
  it('lie in [0, 1) at both ends', () => {
    expect(uniform(scriptedSource([0, 0], seededSource('x')))).toBe(0)
    expect(uniform(scriptedSource([2 ** 32 - 1, 2 ** 32 - 1], seededSource('x')))).toBe(1 - 2 ** -53)
  })

  it('below a bound are unbiased: the words that would favour small results are thrown away', () => {
    // 2^32 - 1 = 0 mod 3 is a remainder
    expect(uniformBelow(scriptedSource([2 ** 32 - 1, 4], seededSource('x')), 3)).toBe(1)
    expect(uniformBelow(scriptedSource([2 ** 32 - 1], seededSource('x')), 2 ** 32)).toBe(2 ** 32 - 1)
    const bits = new RandomBits(seededSource('below'))
    const bound = 3 * 2 ** 30 // without rejection the lowest third would come twice as often
    const thirds = [0, 0, 0]
    for (let i = 0; i < 30_000; i++) thirds[Math.floor(uniformBelow(bits, bound) / 2 ** 30)]!++
    expect(Math.abs(chiSquareScore(thirds, [1 / 3, 1 / 3, 1 / 3]))).toBeLessThan(IMPLAUSIBLE)
  })

  it.each([0, -1, 1.5, 2 ** 33, Number.NaN])('refuse the bound %d', (bound) => {
    expect(() => uniformBelow(seededSource('x'), bound)).toThrow('NOISE_INVALID')
  })

  it('give every order of three the same chance', () => {
    const bits = new RandomBits(seededSource('orders'))
    const counts = new Map<string, number>()
    for (let i = 0; i < 60_000; i++) {
      const order = shuffled(bits, ['a', 'b', 'c']).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    expect(
      Math.abs(
        chiSquareScore(
          [...counts.values()],
          Array.from({ length: 6 }, () => 1 / 6),
        ),
      ),
    ).toBeLessThan(IMPLAUSIBLE)
  })

  it('choose without repeating and leave the original alone', () => {
    const clients = Array.from({ length: 20 }, (_, i) => i)
    const some = chosen(seededSource('pick'), clients, 7)
    expect(new Set(some).size).toBe(7)
    expect(clients).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(chosen(seededSource('pick'), clients, 0)).toEqual([])
    expect(() => chosen(seededSource('pick'), clients, 21)).toThrow('NOISE_INVALID')
  })
})

describe('fillGaussian, for public numbers', () => {
  it('has standard deviation 1, not 2/3 and not 3/2', () => {
    const samples = new Float64Array(200_001)
    fillGaussian(seededSource('public'), samples)
    const counts = countQuarters(samples, 1)
    const score = (sigma: number) => chiSquareScore(counts, gaussianQuarters(sigma, 1))
    expect(Math.abs(score(1))).toBeLessThan(IMPLAUSIBLE)
    expect(score(2 / 3)).toBeGreaterThan(IMPLAUSIBLE)
    expect(score(3 / 2)).toBeGreaterThan(IMPLAUSIBLE)
    expect(score(1.02)).toBeGreaterThan(IMPLAUSIBLE)
  })
})
