import { quickPrimitives, SimulatedSum } from '@fedsvd/testing/core/secure-aggregation'
import { describe, expect, it } from 'vitest'
import { addOwnMask, addPairMask } from './masks.ts'
import { addVector, integersOf, type RingVector, ringBytes, ringVectorOf, ringZeros, vectorFrom } from './ring.ts'

const EDGES = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 12_345, -98_765]
const FAR = [2 ** 31, -(2 ** 31) - 1, 2 ** 40 + 3, -(2 ** 40) - 3, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]

describe('integers in a ring', () => {
  it('are read as they were written, as far as they fit', () => {
    expect(integersOf(ringVectorOf(Float64Array.from(EDGES), 32))).toEqual(Float64Array.from(EDGES))
    expect(integersOf(ringVectorOf(Float64Array.from([...EDGES, ...FAR]), 64))).toEqual(
      Float64Array.from([...EDGES, ...FAR]),
    )
  })

  it('wrap around as whole numbers do', () => {
    const wrapped = (value: number) => Number(BigInt.asIntN(32, BigInt(value)))
    expect(integersOf(ringVectorOf(Float64Array.from(FAR), 32))).toEqual(Float64Array.from(FAR, wrapped))
    const sum = ringVectorOf(Float64Array.of(2 ** 31 - 1), 32)
    addVector(sum, ringVectorOf(Float64Array.of(1), 32), 1)
    expect(integersOf(sum)).toEqual(Float64Array.of(-(2 ** 31)))
    addVector(sum, ringVectorOf(Float64Array.of(1), 32), -1)
    expect(integersOf(sum)).toEqual(Float64Array.of(2 ** 31 - 1))
  })

  it('travel as little-endian bytes', () => {
    expect([...ringBytes(ringVectorOf(Float64Array.of(-2, 258), 32))]).toEqual([254, 255, 255, 255, 2, 1, 0, 0])
    const bytes = Uint8Array.of(9, 254, 255, 255, 255, 255, 255, 255, 255)
    expect(integersOf(vectorFrom(bytes.subarray(1), 64))).toEqual(Float64Array.of(-2))
  })
})

describe('masks', () => {
  const WORDS = 20_000
  const session = (fill: number) => Buffer.alloc(32, fill).toString('base64url')
  const privateKey = new Uint8Array(32).fill(3)
  const publicKey = (fill: number) => Buffer.alloc(32, fill).toString('base64url')
  const own = (seed: number, id: number, site: number): RingVector => {
    const vector = ringZeros(WORDS, 32)
    addOwnMask(vector, { seed: new Uint8Array(32).fill(seed), session: session(id), site, sign: 1 }, quickPrimitives)
    return vector
  }
  const pair = (other: number, id: number, key = other): RingVector => {
    const vector = ringZeros(WORDS, 32)
    const mask = { privateKey, publicKey: publicKey(key), session: session(id), site: 0, other, sign: 1 } as const
    addPairMask(vector, mask, quickPrimitives)
    return vector
  }

  /** What shows that masks depend on each other: eight bytes that two have in common, bits that agree too often. */
  function dependence(masks: readonly RingVector[]): string[] {
    const faults: string[] = []
    const seen = new Map<string, number>()
    masks.forEach((mask, m) => {
      const bytes = Buffer.from(ringBytes(mask))
      for (let at = 0; at < bytes.length; at += 8) {
        const word = bytes.toString('latin1', at, at + 8)
        if (seen.has(word)) faults.push(`${seen.get(word)} and ${m} have a word in common`)
        seen.set(word, m)
      }
      masks.slice(0, m).forEach((other, o) => {
        const score = agreement(mask as Int32Array, other as Int32Array)
        if (Math.abs(score) > 7) faults.push(`${o} and ${m} agree in bits, ${score.toFixed(0)} standard deviations`)
      })
    })
    return faults
  }

  /** How many more bits agree than half of them, in standard deviations. */
  function agreement(one: Int32Array, other: Int32Array): number {
    let same = 0
    for (let i = 0; i < one.length; i++) {
      let differing = one[i]! ^ other[i]!
      for (; differing !== 0; differing &= differing - 1) same -= 1
      same += 32
    }
    const bits = 32 * one.length
    return (same - bits / 2) / Math.sqrt(bits / 4)
  }

  it('of two pairs, two sessions, two sites, two seeds and two places of one vector are independent', () => {
    const whole = ringZeros(2 * WORDS, 32)
    addOwnMask(whole, { seed: new Uint8Array(32).fill(8), session: session(1), site: 4, sign: 1 }, quickPrimitives)
    const tensors = [whole.subarray(0, WORDS), whole.subarray(WORDS)] as RingVector[]
    const masks = [
      own(1, 1, 0),
      own(2, 1, 0),
      own(1, 2, 0),
      own(1, 1, 1),
      pair(1, 1),
      pair(2, 1),
      pair(1, 2),
      pair(2, 1, 1),
    ]
    expect(dependence([...masks, ...tensors])).toEqual([])
  })

  it('that are not are found out: one stream twice, shifted, negated or for two tensors', () => {
    const mask = own(1, 1, 0)
    const changed = (of: (word: number, at: number) => number) => (mask as Int32Array).map(of)
    expect(dependence([mask, own(1, 1, 0)])).not.toEqual([])
    expect(dependence([mask, changed((_, at) => mask[(at + 2 * 777) % WORDS] as number)])).not.toEqual([])
    expect(dependence([mask, changed((word) => -word)])).not.toEqual([])
    // One word in fifty is the same: no eight bytes are, but the bits agree too often.
    const mixed = (own(2, 1, 0) as Int32Array).map((word, at) => (at % 50 === 0 ? (mask[at] as number) : word))
    expect(dependence([mask, mixed])).not.toEqual([])
  })

  it('hide every value alike: a masked zero and a masked update are as even', async () => {
    const sum = new SimulatedSum(3, { terms: { dimension: WORDS, modulusBits: 32 } })
    sum.advertise()
    await sum.share(sum.sites)
    sum.receive(sum.sites)
    sum.upload(sum.sites, (place) => new Float64Array(WORDS).fill(place === 0 ? 0 : 1000))
    for (const masked of sum.masked.values()) {
      const counts = new Float64Array(256)
      for (const byte of ringBytes(masked)) counts[byte]! += 1
      const expected = (4 * WORDS) / 256
      const chiSquare = counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0)
      // 255 degrees of freedom: a standard deviation is 22.6.
      expect(Math.abs(chiSquare - 255)).toBeLessThan(8 * Math.sqrt(510))
    }
    const [one, two] = [sum.masked.get(1)!, sum.masked.get(2)!]
    expect(dependence([one, two])).toEqual([])
  })
})
