import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openUnitIndex, UnitGrouper } from './unit-index.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-units-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function grouped(units: readonly string[], maxRecords: number, entriesInMemory?: number): number[][] {
  const path = join(folder, 'one.units')
  {
    using grouper = new UnitGrouper(folder, entriesInMemory)
    for (const unit of units) grouper.add(unit)
    grouper.write(path, 'key', maxRecords)
  }
  expect(openUnitIndex(path, 'another key')).toBeUndefined()
  using index = openUnitIndex(path, 'key')!
  return Array.from({ length: index.size }, (_, unit) => [...index.recordsOf(unit)])
}

/** What grouping means, in memory. */
function byHand(units: readonly string[], maxRecords: number): number[][] {
  const groups = new Map<string, number[]>()
  units.forEach((unit, position) => {
    const group = groups.get(unit) ?? []
    if (group.length < maxRecords) groups.set(unit, [...group, position])
  })
  return [...groups.values()]
}

const byFirst = (groups: number[][]): number[][] => groups.toSorted((a, b) => a[0]! - b[0]!)

describe('units of records', () => {
  it('are grouped in the order of the file and cut at the most that is allowed, also beyond memory', () => {
    const name = fc.constantFrom('ann', 'bob', 'cyd', '患者 7', '')
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (units, most) => {
        for (const inMemory of [undefined, 4]) {
          expect(byFirst(grouped(units, most, inMemory))).toEqual(byHand(units, most))
        }
      }),
      { numRuns: 40 },
    )
  })

  it('keep their records whatever other units come and go', () => {
    const units = ['ann', 'bob', 'ann', 'cyd', 'bob', 'ann']
    const positionsOf = (rows: readonly string[]) =>
      grouped(rows, 2).map((group) =>
        group.map(
          (position) => `${rows[position]}${rows.slice(0, position).filter((one) => one === rows[position]).length}`,
        ),
      )
    const all = positionsOf(units)
    const withoutBob = positionsOf(units.filter((unit) => unit !== 'bob'))
    expect(all.filter(([first]) => !first!.startsWith('bob'))).toEqual(withoutBob)
  })
})
