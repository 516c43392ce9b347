import { scriptedSource } from '@fedsvd/testing/core/scripted-source'
import { describe, expect, it } from 'vitest'
import { expInterval, ratioOf, uniformIsBelow } from './exact-exp.ts'
import { seededSource } from './seeded.ts'
import { RandomBits } from './source.ts'

// Published digits of e^-1 and e^-1/2 after the decimal point.
const INVERSE_E =
  '36787944117144232159552377016146086744581113103176783450783680169746149574489980335714727434591964374662732527'
const INVERSE_ROOT_E =
  '60653065971263342360379953499118045344191813548718695568289215873505651941374842399864761150798945602642378979'

describe('expInterval', () => {
  it.each([
    [{ num: 1n, den: 1n }, INVERSE_E],
    [{ num: 1n, den: 2n }, INVERSE_ROOT_E],
  ])('encloses exp(-%o) to 300 bits', (t, digits) => {
    const { low, high } = expInterval(t, 300)
    const truth = (BigInt(digits) << 300n) / 10n ** BigInt(digits.length)
    expect(low <= truth && truth <= high).toBe(true)
    expect(high - low <= 3n).toBe(true)
  })

  it('is multiplicative: exp(-a) exp(-b) = exp(-(a + b)), from tiny to large exponents', () => {
    const bits = 160
    for (const [a, b] of [
      [1, 3],
      [1e-9, 70],
      [0.1, 0.2],
      [55.5, 17.25],
      [1e-300, 2],
    ] as const) {
      const [x, y] = [ratioOf(a), ratioOf(b)]
      const sum = { num: x.num * y.den + y.num * x.den, den: x.den * y.den }
      const [ea, eb, esum] = [x, y, sum].map((t) => expInterval(t, bits))
      expect((ea!.low * eb!.low) >> BigInt(bits) <= esum!.high).toBe(true)
      expect(((ea!.high * eb!.high) >> BigInt(bits)) + 1n >= esum!.low).toBe(true)
    }
  })

  it('agrees with Math.exp to the last digits of a double', () => {
    for (let t = 0; t < 40; t += 0.37) {
      expect(Number(expInterval(ratioOf(t), 120).low) / 2 ** 120 / Math.exp(-t)).toBeCloseTo(1, 13)
    }
  })

  it('is 1 at 0 and below one unit far out', () => {
    expect(expInterval({ num: 0n, den: 7n }, 64)).toEqual({ low: 2n ** 64n, high: 2n ** 64n })
    expect(expInterval({ num: 10n ** 30n, den: 1n }, 64)).toEqual({ low: 0n, high: 1n })
  })
})

describe('ratioOf', () => {
  it('is the double itself', () => {
    for (const value of [0.1, 0.7, 1, 2.5, 1e7 / 3, 2 ** 36]) {
      const { num, den } = ratioOf(value)
      expect(Number(num) / Number(den)).toBe(value)
    }
    expect(ratioOf(0.75)).toEqual({ num: 3n, den: 4n })
  })
})

describe('uniformIsBelow', () => {
  const t = { num: 1n, den: 1n }
  const one = { num: 1n, den: 1n }
  const bitsOfInverseE = expInterval(t, 200).low >> 72n // the first 128 bits of e^-1
  const words = [96n, 64n, 32n, 0n].map((shift) => Number((bitsOfInverseE >> shift) & 0xffffffffn))
  const decide = (first: number, following: number[]) =>
    uniformIsBelow(new RandomBits(scriptedSource(following, seededSource('after the script'))), first, one, t)

  it('is decided by the first word when that differs from e^-1', () => {
    expect(decide(words[0]! - 1, [])).toBe(true)
    expect(decide(words[0]! + 1, [])).toBe(false)
  })

  it('is decided by the fourth word when the first three agree', () => {
    expect(decide(words[0]!, [words[1]!, words[2]!, words[3]! - 1])).toBe(true)
    expect(decide(words[0]!, [words[1]!, words[2]!, words[3]! + 1])).toBe(false)
  })

  it('stays open while the threshold is inside the interval, however narrow that is', () => {
    // scale * exp(-1/n) is a hair below (k 2^33 - 1) / 2^65, so u = k - 1 followed by 33 ones is a hair above it
    const k = 2n ** 32n - 5n
    for (let n = 2n; n < 40n; n++) {
      const exponent = { num: 1n, den: n }
      const scale = { num: (k * 2n ** 33n - 1n) << 300n, den: (expInterval(exponent, 300).low + 4n) << 65n }
      const bits = new RandomBits(scriptedSource([2 ** 32 - 1, 2 ** 31], seededSource('after the script')))
      expect(uniformIsBelow(bits, Number(k) - 1, scale, exponent)).toBe(false)
    }
  })

  it('never ends on bits that follow e^-1 for ever, and says so', () => {
    const digits = expInterval(t, 1400).low
    const endless = Array.from({ length: 40 }, (_, i) => Number((digits >> BigInt(1400 - 32 * (i + 1))) & 0xffffffffn))
    expect(() => decide(endless[0]!, endless.slice(1))).toThrow('NOISE_INVALID')
  })
})
