import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ENVIRONMENT } from '../../packages/engine/src/settings/index.ts'
import { PAGE, settingsPage } from '../../scripts/settings-page.ts'

const page = readFileSync(PAGE, 'utf8')

describe('the page on settings', () => {
  it('says what the schemas and the options say: npx tsx scripts/settings-page.ts writes it', () => {
    expect(page).toBe(settingsPage())
  })

  it('names every variable of the coordinator, and gives each row a meaning', () => {
    for (const variable of Object.values(ENVIRONMENT)) expect(page).toContain(`| \`${variable}\``)
    const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.split(' | ').length === 6)
    expect(rows.length).toBeGreaterThan(60)
    expect(rows.filter((row) => row.endsWith('|  |'))).toEqual([])
  })

  it('says of a switch what holds where nobody gives it', () => {
    for (const option of ['--once', '--no-release-grid']) {
      expect(page).toMatch(new RegExp(`^\\| \`${option}\` \\| .* \\| not given \\| a switch, without a value \\|`, 'm'))
    }
  })
})
