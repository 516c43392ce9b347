import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { registerAggregationRule } from '../federation/index.ts'
import { wholeIn } from '../limits/index.ts'
import { aggregationSchema } from './manifest.ts'
import { parseMessage } from './parse.ts'
import { storedForm } from './stored-form.ts'

const message = z.strictObject({ aggregation: aggregationSchema.optional() })
const parse = (aggregation: unknown) => parseMessage(message, { aggregation }, 'a run request').aggregation
const stored = storedForm(message)

describe('the aggregation rule of a manifest', () => {
  it.each([
    { name: 'mean' },
    { name: 'median' },
    { name: 'trimmed-mean', byzantine: 2 },
    { name: 'krum', byzantine: 1 },
  ])('%o is on the wire and in storage as it always was', (terms) => {
    expect(JSON.stringify(parse(terms))).toBe(JSON.stringify(terms))
    expect(JSON.stringify(stored.parse({ aggregation: terms }).aggregation)).toBe(JSON.stringify(terms))
  })

  it.each<[unknown, RegExp]>([
    [{ name: 'trimed-mean', byzantine: 1 }, /aggregation\.name, got trimed-mean.*did you mean trimmed-mean\?/],
    [{ name: 'geometric-median-of-means' }, /known: mean, median, trimmed-mean, krum/],
    [{ name: 'krum', byzantin: 1 }, /got aggregation\.byzantin; did you mean byzantine\? Check/],
    [
      { name: 'krum', byzantine: 1, byzantin: 1 },
      /known fields only, got aggregation\.byzantin; did you mean byzantine\?/,
    ],
    [{ name: 'mean', byzantine: 1 }, /known fields only, got aggregation\.byzantine/],
    [{ name: 'krum', byzantine: 0.5 }, /aggregation\.byzantine/],
    [{ name: 'krum', byzantine: 1e9 }, /aggregation\.byzantine/],
    [{ byzantine: 1 }, /aggregation\.name/],
    ['mean', /aggregation/],
    [null, /aggregation/],
    [{ name: '__proto__' }, /aggregation\.name/],
    [JSON.parse('{"name":"mean","__proto__":{"byzantine":1}}'), /aggregation/],
  ])('refuses %j', (terms, told) => {
    expect(() => parse(terms)).toThrow(told)
    expect(() => parse(terms)).toThrow(/MESSAGE_INVALID/)
  })

  it('of an extension is known once it is registered, and stays readable in storage without it', () => {
    const terms = { name: 'newest', kept: 3 }
    expect(() => parse(terms)).toThrow(/no aggregation rule known here/)
    expect(stored.parse({ aggregation: terms })).toEqual({ aggregation: terms })
    registerAggregationRule({
      name: 'newest',
      terms: { kept: wholeIn({ least: 1, most: 5, because: 'a test' }) },
      minUpdates: () => 1,
      begin: () => {
        throw new Error('not used here')
      },
    })
    expect(parse(terms)).toEqual(terms)
    expect(() => parse({ name: 'newest', kept: 6 })).toThrow(/aggregation\.kept/)
    expect(stored.parse({ aggregation: { ...terms, kept: 6, added: 'later' } })).toEqual({
      aggregation: { ...terms, kept: 6 },
    })
  })
})
