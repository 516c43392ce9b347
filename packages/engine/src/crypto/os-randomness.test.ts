import { RandomBits } from '@fedsvd/core/random'
import { describe, expect, it } from 'vitest'
import { osRandomness } from './os-randomness.ts'

/** Length of the shortest linear feedback shift register that makes the bits (Berlekamp and Massey). */
function linearComplexity(bits: readonly number[]): number {
  let [connection, previous] = [1n, 1n]
  let [length, gap] = [0, 1]
  for (let n = 0; n < bits.length; n += 1) {
    let discrepancy = bits[n]!
    for (let i = 1; i <= length; i += 1) if ((connection >> BigInt(i)) & 1n) discrepancy ^= bits[n - i]!
    if (discrepancy === 0) gap += 1
    else if (2 * length <= n) {
      ;[connection, previous] = [connection ^ (previous << BigInt(gap)), connection]
      length = n + 1 - length
      gap = 1
    } else {
      connection ^= previous << BigInt(gap)
      gap += 1
    }
  }
  return length
}

const BITS = 400

/**
 * The smallest complexity among bits that are `stride` bytes apart. V8 makes Math.random of 128 bits by linear steps,
 * 64 numbers at a time in reverse order; so every 64th number follows the ones before by a register of at most 128.
 * Random bits need about half their number: a value below 160 of 400 has a chance below 2^-75.
 */
function smallestComplexity(fill: (bytes: Uint8Array) => void, strides: readonly number[]): number {
  return Math.min(
    ...strides.flatMap((stride) => {
      const bytes = new Uint8Array(stride * BITS)
      fill(bytes)
      return [0, 4, 7].map((bit) =>
        linearComplexity(Array.from({ length: BITS }, (_, i) => (bytes[i * stride]! >> bit) & 1)),
      )
    }),
  )
}

/** Bytes, 16-bit words, 32-bit words, or doubles from each number of a generator that makes 64 at a time. */
const STRIDES = [64, 128, 256, 512]

describe('the randomness of the operating system', () => {
  it('does not follow from what it gave before', () => {
    expect(smallestComplexity((bytes) => osRandomness.fill(bytes), STRIDES)).toBeGreaterThan(160)
    expect(smallestComplexity((bytes) => RandomBits.from(osRandomness).fill(bytes), STRIDES)).toBeGreaterThan(160)
  })

  it('is told from Math.random by that, however that is made into bytes', () => {
    const perByte = (bytes: Uint8Array) => bytes.set(Array.from(bytes, () => 256 * Math.random()))
    const perWord = (bytes: Uint8Array) => {
      const words = new Uint32Array(bytes.buffer)
      for (let i = 0; i < words.length; i += 1) words[i] = 2 ** 32 * Math.random()
    }
    for (const fill of [perByte, perWord]) expect(smallestComplexity(fill, STRIDES)).toBeLessThanOrEqual(128)
  })

  it('has every byte equally often, whatever was in the array', () => {
    const bytes = new Uint8Array(65_536).fill(7)
    osRandomness.fill(bytes)
    const counts = new Float64Array(256)
    for (const byte of bytes) counts[byte]! += 1
    const chiSquare = counts.reduce((sum, count) => sum + (count - 256) ** 2 / 256, 0)
    expect(Math.abs(chiSquare - 255)).toBeLessThan(8 * Math.sqrt(2 * 255)) // eight standard deviations
  })
})
