import { describe, expect, it } from 'vitest'
import { parsePartition, partitionRecords, partitionText } from './partition.ts'

const records = Array.from({ length: 600 }, (_, at) => ({ label: ['a', 'b', 'c'][at % 3]!, group: `g${at % 7}` }))
const parts = (text: string, sites?: number, seed = 's') =>
  partitionRecords(records, { partition: parsePartition(text), sites, seed })

/** The share of the most frequent label, on average over sites. */
function purity(sites: ReturnType<typeof parts>): number {
  const shares = sites.map(({ positions }) => {
    const counts = ['a', 'b', 'c'].map((label) => positions.filter((at) => records[at]!.label === label).length)
    return Math.max(...counts) / positions.length
  })
  return shares.reduce((sum, share) => sum + share, 0) / shares.length
}

describe('a partition', () => {
  it.each(['iid', 'dirichlet:0.5', 'dirichlet:0.001', 'dirichlet:10000', 'shards:2', 'column:group'])(
    '%s deals each record to one site, leaves none empty, and is the same again',
    (text) => {
      const sites = parts(text, 7)
      expect(sites.flatMap(({ positions }) => positions).sort((left, right) => left - right)).toEqual(
        records.map((_, at) => at),
      )
      expect(Math.min(...sites.map(({ positions }) => positions.length))).toBeGreaterThan(0)
      for (const { positions } of sites) expect([...positions].sort((left, right) => left - right)).toEqual(positions)
      expect(new Set(sites.map(({ name }) => name)).size).toBe(7)
      expect(parts(text, 7)).toEqual(sites)
      expect(partitionText(parsePartition(text))).toBe(text)
    },
  )

  it('depends on the seed', () => {
    for (const text of ['iid', 'dirichlet:0.5', 'shards:2']) expect(parts(text, 7, 't')).not.toEqual(parts(text, 7))
  })

  it('by Dirichlet makes sites the more unlike, the smaller its concentration', () => {
    const [small, middle, large] = ['dirichlet:0.05', 'dirichlet:1', 'dirichlet:1000'].map((text) =>
      purity(parts(text, 10)),
    )
    expect(small).toBeGreaterThan(0.8)
    expect(middle).toBeLessThan(0.8)
    expect(large).toBeLessThan(0.42)
    expect(purity(parts('iid', 10))).toBeLessThan(0.5)
  })

  it('by shards gives a site at most two labels a shard', () => {
    for (const { positions } of parts('shards:1', 30))
      expect(new Set(positions.map((at) => records[at]!.label)).size).toBeLessThanOrEqual(2)
    expect(new Set(parts('shards:2', 30).map(({ positions }) => positions.length))).toEqual(new Set([20]))
  })

  it('by column has a site for each value, or brings values together to sites of like size', () => {
    expect(parts('column:group').map(({ name, positions }) => [name, positions.length])).toEqual([
      ['g0', 86],
      ['g1', 86],
      ['g2', 86],
      ['g3', 86],
      ['g4', 86],
      ['g5', 85],
      ['g6', 85],
    ])
    const three = parts('column:group', 3)
    expect(three.map(({ positions }) => positions.length).sort()).toEqual([172, 172, 256])
    expect(three.map(({ name }) => name)).toContain('g2 and 2 more')
  })

  it.each([
    ['dirichlet', /got dirichlet/],
    ['dirichlet:', /a concentration from/],
    ['dirichlet:0', /got dirichlet:0/],
    ['dirichlet:NaN', /got dirichlet:NaN/],
    ['dirichlet:1e9', /got/],
    ['shards:1.5', /got/],
    ['shards:-1', /got/],
    ['iid:2', /got iid:2/],
    ['column:', /got column:/],
    ['Dirichlet:0.5', /got/],
    ['', /CONFIG_INVALID/],
  ])('%j is refused', (text, told) => {
    expect(() => parsePartition(text)).toThrow(told)
  })

  it('that the records do not have is refused', () => {
    const texts = [{}, {}]
    const of = (text: string, sites?: number) => () =>
      partitionRecords(texts, { partition: parsePartition(text), sites, seed: 's' })
    expect(of('dirichlet:1', 2)).toThrow(/one label for each record/)
    expect(of('shards:1', 2)).toThrow(/one label for each record/)
    expect(of('column:team')).toThrow(/a value in the column team/)
    expect(of('iid', 3)).toThrow(/from 1 to 2 clients/)
    expect(of('iid')).toThrow(/got no number of clients/)
    expect(() => parts('shards:2', 301)).toThrow(/at most 600 shards.*got 602/)
    expect(() => parts('column:group', 8)).toThrow(/from 1 to 7 clients/)
  })
})
