import { FedsvdError } from '../errors.ts'
import { RandomBits, type RandomSource, stuckSource } from './source.ts'

/** A uniform multiple of 2^-53 in [0, 1). */
export function uniform(source: RandomSource): number {
  return RandomBits.from(source).uint53() * 2 ** -53
}

/**
 * A uniform integer in [0, bound), exactly: words that would favour small results are thrown away.
 * `bound` is an integer from 1 to 2^32; anything else is refused with NOISE_INVALID.
 */
export function uniformBelow(source: RandomSource, bound: number): number {
  if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: 'a bound that is an integer from 1 to 2^32',
      got: String(bound),
      remedy: 'Draw from a smaller or non-empty range.',
    })
  }
  const bits = RandomBits.from(source)
  const limit = 2 ** 32 - (2 ** 32 % bound)
  for (let tries = 0; tries < 2000; tries++) {
    const word = bits.uint32()
    if (word < limit) return word % bound
  }
  throw stuckSource('a uniform draw')
}

/** A uniformly random order of `items`, as a new array (Fisher and Yates). */
export function shuffled<T>(source: RandomSource, items: readonly T[]): T[] {
  return chosen(source, items, items.length)
}

/**
 * `count` different items in random order, every ordered choice equally likely. For public choices such as which
 * clients take part in a round; a lot of private records is drawn by `drawPoissonLot` and never by this.
 */
export function chosen<T>(source: RandomSource, items: readonly T[], count: number): T[] {
  if (!Number.isInteger(count) || count < 0 || count > items.length) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: `a count from 0 to the ${items.length} items there are`,
      got: String(count),
      remedy: 'Ask for fewer items.',
    })
  }
  const bits = RandomBits.from(source)
  const pool = [...items]
  for (let i = 0; i < count; i++) {
    const j = i + uniformBelow(bits, pool.length - i)
    const picked = pool[j]!
    pool[j] = pool[i]!
    pool[i] = picked
  }
  return pool.slice(0, count)
}
