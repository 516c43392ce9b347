import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { chosen, RandomBits, seededSource } from '../random/index.ts'
import { degreeFor } from './degree.ts'

const page = readFileSync(new URL('../../../../docs/reference/secure-aggregation.md', import.meta.url), 'utf8')

describe('the neighbours that a site draws', () => {
  it('are as many as the reference says', () => {
    const rows = Array.from(page.matchAll(/^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/gm), (row) =>
      row.slice(1).map(Number),
    )
    expect(rows.length).toBeGreaterThan(8)
    for (const [sites, mostColluders, mostLost, neighbours, shareThreshold] of rows) {
      expect({ sites, ...degreeFor({ sites: sites!, mostColluders: mostColluders!, mostLost: mostLost! }) }).toEqual({
        sites,
        neighbours,
        shareThreshold,
      })
    }
  })

  it('are more where more collude or are lost', () => {
    const of = (mostColluders: number, mostLost: number) =>
      degreeFor({ sites: 200, mostColluders, mostLost })!.neighbours
    expect(of(40, 20)).toBeGreaterThan(of(20, 20))
    expect(of(40, 20)).toBeGreaterThan(of(40, 10))
  })

  it('do not exist where too many are lost', () => {
    expect(degreeFor({ sites: 1000, mostColluders: 200, mostLost: 300 })).toBeUndefined()
  })

  it('leave an honest site with more honest neighbours than may be lost, in graphs that are drawn', () => {
    const [sites, colluders, lost] = [100, 20, 10]
    const { neighbours } = degreeFor({ sites, mostColluders: colluders, mostLost: lost })!
    const bits = RandomBits.from(seededSource('graphs'))
    /** The smallest number of honest neighbours of any honest site in one graph. */
    const smallest = (k: number): number => {
      const adjacent = Array.from({ length: sites }, () => new Set<number>())
      for (let site = 0; site < sites; site++) {
        const others = Array.from({ length: sites - 1 }, (_, i) => (i < site ? i : i + 1))
        for (const other of chosen(bits, others, k)) {
          adjacent[site]!.add(other)
          adjacent[other]!.add(site)
        }
      }
      const honest = adjacent.slice(colluders)
      return Math.min(...honest.map((of) => [...of].filter((other) => other >= colluders).length))
    }
    const drawn = Array.from({ length: 20 }, () => smallest(neighbours))
    expect(Math.min(...drawn)).toBeGreaterThan(lost)
    // A fifth of them would not do.
    expect(Math.min(...Array.from({ length: 20 }, () => smallest(Math.floor(neighbours / 5))))).toBeLessThanOrEqual(
      lost,
    )
  })
})
