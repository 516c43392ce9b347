import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { wholeIn } from '../../limits/index.ts'
import type { NamedTerms } from '../../registry/index.ts'
import type { NamedTensor } from '../../tensor/index.ts'
import type { AggregationRule } from './aggregation.ts'
import { bufferedAggregation } from './buffered.ts'
import { aggregationRules, beginAggregation, minUpdates, registerAggregationRule } from './rules.ts'

const specs = [
  { name: 'b', shape: [2, 2] },
  { name: 'head', shape: [1] },
]
const deltaOf = (values: readonly number[]): NamedTensor[] => [
  { name: 'b', shape: [2, 2], data: Float32Array.from(values.slice(0, 4)) },
  { name: 'head', shape: [1], data: Float32Array.from(values.slice(4)) },
]
const EQUAL_NOISE = Array.from({ length: 20 }, () => ({ noiseMultiplier: 0.7 }))
function aggregate(rule: NamedTerms, updates: readonly (readonly number[])[]): number[] {
  const aggregation = beginAggregation(specs, rule, EQUAL_NOISE)
  for (const update of updates) aggregation.add(deltaOf(update))
  return aggregation.result().flatMap(({ data }) => [...data])
}
const RULES: readonly NamedTerms[] = [
  { name: 'mean' },
  { name: 'median' },
  { name: 'trimmed-mean', byzantine: 2 },
  { name: 'krum', byzantine: 2 },
]
const row = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 5, maxLength: 5 })

describe('the aggregation of a round', () => {
  it('worked out by hand', () => {
    const updates = [1, 2, 3, 4, 100].map((value) => [value, -value, 0, 2 * value, value % 2])
    expect(aggregate({ name: 'mean' }, updates)).toEqual([22, -22, 0, 44, Math.fround(0.4)])
    expect(aggregate({ name: 'median' }, updates)).toEqual([3, -3, 0, 6, 0])
    expect(aggregate({ name: 'median' }, updates.slice(0, 4))).toEqual([2.5, -2.5, 0, 5, 0.5])
    expect(aggregate({ name: 'trimmed-mean', byzantine: 1 }, updates)).toEqual([3, -3, 0, 6, Math.fround(1 / 3)])
    // n = 5, f = 1: two nearest others. 2 has 1 and 3, 3 has 2 and 4: the first of equals.
    expect(
      aggregate(
        { name: 'krum', byzantine: 1 },
        updates.map(([value]) => [value!, 0, 0, 0, 0]),
      ),
    ).toEqual([2, 0, 0, 0, 0])
  })

  it.each(RULES)('of equal updates is that update: %o', (rule) => {
    fc.assert(
      fc.property(row, fc.integer({ min: minUpdates(rule), max: 9 }), (update, count) => {
        expect(aggregate(rule, Array(count).fill(update))).toEqual(update.map((value) => value + 0))
      }),
    )
  })

  it.each(RULES)('does not depend on the order, but for equals and the last bits: %o', (rule) => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 7, maxLength: 10 }), fc.nat(), (updates, turn) => {
        const turned = [...updates.slice(turn % updates.length), ...updates.slice(0, turn % updates.length)]
        if (rule.name === 'krum') return // ties are common among integers; see the hand-made case
        const straight = aggregate(rule, updates)
        for (const [index, value] of aggregate(rule, turned).entries()) expect(value).toBeCloseTo(straight[index]!, 3)
      }),
    )
  })

  it.each(RULES.slice(1))('stays among the honest values whatever two of seven do, %o; a mean does not', (rule) => {
    const poison = fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 5, maxLength: 5 })
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 5, maxLength: 5 }),
        fc.array(poison, { minLength: 2, maxLength: 2 }),
        (honest, bad) => {
          const result = aggregate(rule, [...honest, ...bad])
          if (rule.name === 'krum') {
            // Its score, the sum of three squares, is at most that of an honest one: an honest one is within sqrt(3)
            // spreads.
            const spread = (update: readonly number[]) => Math.max(...honest.map((other) => distance(update, other)))
            expect(spread(result)).toBeLessThanOrEqual((1 + Math.sqrt(3)) * Math.max(...honest.map(spread)) + 1e-3)
            return
          }
          result.forEach((value, coordinate) => {
            const values = honest.map((update) => update[coordinate]!)
            expect(value).toBeGreaterThanOrEqual(Math.min(...values))
            expect(value).toBeLessThanOrEqual(Math.max(...values))
          })
        },
      ),
    )
    expect(
      aggregate({ name: 'mean' }, [...Array(5).fill([0, 0, 0, 0, 0]), ...Array(2).fill([7e5, 0, 0, 0, 0])])[0],
    ).toBe(2e5)
  })

  it('needs as many updates as its rule is defined for', () => {
    expect(RULES.map(minUpdates)).toEqual([1, 1, 5, 7])
    for (const rule of RULES) {
      const updates = Array.from({ length: minUpdates(rule) - 1 }, () => [1, 2, 3, 4, 5])
      expect(() => aggregate(rule, updates)).toThrow(/RUN_STATE/)
    }
  })

  it.each(RULES)('adds nothing of an update that does not fit: %o', (rule) => {
    const aggregation = beginAggregation(specs, rule, EQUAL_NOISE)
    expect(() => aggregation.add(deltaOf([1, 2, 3, 4, 5]).toReversed())).toThrow(/SHAPE_MISMATCH/)
    expect(aggregation.count).toBe(0)
  })
})

describe('a rule that is registered', () => {
  const terms = { kept: wholeIn({ least: 1, most: 1000, because: 'no round has more clients' }) }
  const firstOnes = (
    name: string,
    change: Partial<AggregationRule<typeof terms>> = {},
  ): AggregationRule<typeof terms> => ({
    name,
    terms,
    minUpdates: ({ kept }) => kept,
    begin: (specs, { kept }) => bufferedAggregation(specs, kept, (updates) => updates[kept - 1]!.slice()),
    ...change,
  })

  it('is used by its name, with its terms', () => {
    registerAggregationRule(firstOnes('first-ones'))
    expect(aggregationRules.names).toEqual([
      'mean',
      'median',
      'trimmed-mean',
      'krum',
      'inverse-variance-mean',
      'first-ones',
    ])
    expect(minUpdates({ name: 'first-ones', kept: 2 })).toBe(2)
    expect(
      aggregate({ name: 'first-ones', kept: 2 }, [
        [1, 1, 1, 1, 1],
        [2, 3, 4, 5, 6],
      ]),
    ).toEqual([2, 3, 4, 5, 6])
  })

  it('has a name of its own, and a range for each number', () => {
    expect(() => registerAggregationRule(firstOnes('krum'))).toThrow(/CONFIG_INVALID: expected a name that no other/)
    for (const name of ['', 'First', 'a b', '__proto__', 'x'.repeat(65)]) {
      expect(() => registerAggregationRule(firstOnes(name)), name).toThrow(/in small letters/)
    }
    for (const kept of [z.number(), z.number().min(1), z.number().max(9)]) {
      expect(() => registerAggregationRule({ ...firstOnes('endless'), terms: { kept } })).toThrow(
        /a range for the term kept/,
      )
    }
    expect(aggregationRules.find('endless')).toBeUndefined()
  })

  it('is held to what it promises', () => {
    registerAggregationRule(firstOnes('no-quorum', { minUpdates: () => 0.5 }))
    registerAggregationRule(
      firstOnes('other-tensors', {
        begin: (given) => ({ ...bufferedAggregation(given, 1, () => new Float32Array(5)), result: () => [] }),
      }),
    )
    expect(() => minUpdates({ name: 'no-quorum', kept: 1 })).toThrow(/CONFIG_INVALID.*0\.5/)
    expect(() => aggregate({ name: 'other-tensors', kept: 1 }, [[1, 2, 3, 4, 5]])).toThrow(/SHAPE_MISMATCH/)
  })

  it('that is not here is not guessed at', () => {
    expect(() => beginAggregation(specs, { name: 'trimed-mean' }, [])).toThrow(
      /did you mean trimmed-mean\?.*--extension/,
    )
    expect(() => beginAggregation(specs, { name: 'toString' }, [])).toThrow(/CONFIG_INVALID/)
  })
})

function distance(left: readonly number[], right: readonly number[]): number {
  return Math.hypot(...left.map((value, index) => value - right[index]!))
}
