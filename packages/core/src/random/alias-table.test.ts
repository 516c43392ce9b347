import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aliasTable } from './alias-table.ts'

/** What each index receives in the table, column by column. */
function receivedBy(table: ReturnType<typeof aliasTable>): number[] {
  const capacity = 2 ** (32 - table.columnBits)
  const received = Array.from({ length: table.alias.length }, () => 0)
  table.threshold.forEach((threshold, column) => {
    received[column]! += threshold
    received[table.alias[column]!]! += capacity - threshold
  })
  return received
}

describe('aliasTable', () => {
  it('gives every index exactly its weight out of 2^32, zeros included', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 26), { minLength: 32, maxLength: 32 }), (drawn) => {
        const weights = drawn.slice(0, 31)
        weights.push(2 ** 32 - weights.reduce((sum, weight) => sum + weight, 0))
        expect(receivedBy(aliasTable(weights, 5))).toEqual(weights)
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  it('handles all the weight on one index', () => {
    const weights = [0, 0, 2 ** 32, 0]
    expect(receivedBy(aliasTable(weights, 2))).toEqual(weights)
  })

  it('refuses weights that do not add up', () => {
    expect(() => aliasTable([1, 2, 3, 4], 2)).toThrow('adding up to 2^32')
  })
})
