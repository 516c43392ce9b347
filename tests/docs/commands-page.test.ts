import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { EXIT } from '../../apps/cli/src/exit-codes.ts'
import { commandsPage, PAGE } from '../../scripts/commands-page.ts'

const page = readFileSync(PAGE, 'utf8')

describe('the page on commands', () => {
  it('says what the commands say: npx tsx scripts/commands-page.ts writes it', async () => {
    expect(page).toBe(await commandsPage())
  })

  it('shows an example of every command, and each exit code once', () => {
    const sections = page.split(/^## fedsvd /m).slice(1)
    expect(sections.length).toBeGreaterThan(35)
    expect(sections.filter((section) => !section.includes('\n$ ')).map((section) => section.split('\n')[0])).toEqual([])
    for (const code of Object.values(EXIT)) expect(page.match(new RegExp(`^\\| ${code} \\|`, 'gm'))).toHaveLength(1)
  })
})
