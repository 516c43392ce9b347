import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { tables } from '../../bench/adaptive-composition.ts'

const page = readFileSync(new URL('../../docs/explanation/adaptive-composition.md', import.meta.url), 'utf8')

describe('the page on what one budget costs over several runs', () => {
  it('has the tables that its script makes', () => {
    for (const table of tables().trim().split('\n\n')) expect(page).toContain(table)
  })

  it('links to what exists', () => {
    for (const [, link] of page.matchAll(/\]\((\.\.[^)]+)\)/g)) {
      expect(() => readFileSync(new URL(link!, new URL('../../docs/explanation/', import.meta.url)))).not.toThrow()
    }
  })
})
