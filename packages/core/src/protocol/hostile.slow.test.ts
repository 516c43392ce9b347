import { fuzzFrames, fuzzMessages, held } from '@fedsvd/testing/core/fuzz'
import {
  expectation,
  fateOf,
  goodFrame,
  misaligned,
  repaired,
  sha256,
  withWord,
} from '@fedsvd/testing/core/hostile-frames'
import { fateOfMessage, GOOD_MESSAGES, SCHEMAS } from '@fedsvd/testing/core/hostile-messages'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { decodeFrame } from './frame.ts'

/*
 * A sample of `npm run test:fuzz`, always the same one. Whatever comes in is decoded to exactly itself or refused from
 * the catalogue; fast-check would show the smallest input that does anything else.
 */
const SEED = 20_261_125
const MOST_GROWTH = 4 * 2 ** 20

describe('hostile frames', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('are decoded to themselves or refused from the catalogue, and leave no memory behind', () => {
    const { inputs, fates, heapGrowth, arrayBufferGrowth } = fuzzFrames(20_000, SEED)
    expect(inputs).toBe(20_000)
    const codes = ['FRAME_CHECKSUM', 'FRAME_MALFORMED', 'FRAME_TOO_LARGE', 'NOT_FINITE', 'PROTOCOL_VERSION']
    expect(Object.keys(fates).toSorted()).toEqual([...codes, 'SHAPE_MISMATCH', 'UPDATE_STALE', 'decoded'])
    expect(heapGrowth).toBeLessThan(MOST_GROWTH)
    expect(arrayBufferGrowth).toBeLessThan(MOST_GROWTH)
  })

  it('that announce 2^40 elements allocate nothing', () => {
    // The first tensor is announced as [2^20, 2^20] at offsets 88 and 92, with a checksum that fits.
    const huge = repaired(withWord(withWord(goodFrame, 88, 2 ** 20), 92, 2 ** 20))
    const many = repaired(withWord(goodFrame, 80, 2 ** 32 - 1))
    const made: unknown[] = []
    vi.stubGlobal(
      'Float32Array',
      class extends Float32Array {
        constructor(...what: [number] | [ArrayBuffer, number, number]) {
          super(...(what as [number]))
          if (what.length === 1) made.push(what[0]) // a view of bytes that are there takes no memory
        }
      },
    )
    expect([fateOf(huge), fateOf(many)]).toEqual(['SHAPE_MISMATCH', 'SHAPE_MISMATCH'])
    expect(made).toEqual([])
    decodeFrame(misaligned(goodFrame, 1), expectation, sha256)
    expect(made).toEqual([6, 1, 2]) // the good one is seen to allocate
  })

  it('hold no memory as errors either, however many are kept', () => {
    const huge = repaired(withWord(withWord(goodFrame, 88, 2 ** 20), 92, 2 ** 20))
    const before = held()
    const kept = Array.from({ length: 2000 }, () => {
      try {
        return decodeFrame(huge, expectation, sha256)
      } catch (error) {
        return error
      }
    })
    expect(held().arrayBuffers - before.arrayBuffers).toBeLessThan(2 ** 20)
    expect(kept).toHaveLength(2000)
  })
})

describe('hostile messages', () => {
  it('fit or are refused from the catalogue, for every schema of the protocol', () => {
    const { inputs, fates, heapGrowth } = fuzzMessages(300, SEED)
    expect(inputs).toBe(300 * (SCHEMAS.size + 1))
    expect(SCHEMAS.size).toBeGreaterThan(20)
    expect(Object.keys(fates).filter((fate) => !/^(fits|refused|error [A-Z_]+)$/.test(fate))).toEqual([])
    expect(fates.refused).toBeGreaterThan(1000)
    expect(heapGrowth).toBeLessThan(MOST_GROWTH)
  })

  it.each(Object.entries(GOOD_MESSAGES))('start from one that fits: %s', (name, message) => {
    expect(fateOfMessage(SCHEMAS.get(name)!, message)).toBe('fits')
  })
})
