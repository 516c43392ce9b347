import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { MUTANTS } from './table.ts'
import { occurrences } from './try-out.ts'

describe('the table of breaks', () => {
  it('has a hundred and more, each of a line that is there once, and no two alike', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(100)
    const stale = MUTANTS.filter((mutant) => occurrences(mutant) !== 1).map(({ file, find }) => `${file}: ${find}`)
    expect(stale).toEqual([])
    expect(new Set(MUTANTS.map(({ file, find, replace }) => `${file} ${find} ${replace}`)).size).toBe(MUTANTS.length)
  })

  it('names tests that exist', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    expect([...new Set(MUTANTS.flatMap(({ tests }) => tests))].filter((test) => !existsSync(root + test))).toEqual([])
  })
})
