import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../apps/cli/src/config-file/index.ts'
import { siteConfigSchema } from '../../apps/cli/src/site-config/index.ts'
import { PAGE, SCHEMA, siteConfigurationPage, siteConfigurationSchema } from '../../scripts/site-configuration-page.ts'

const page = readFileSync(PAGE, 'utf8')

describe('the page on the site configuration', () => {
  it('and its JSON schema say what the schema says: npx tsx scripts/site-configuration-page.ts writes them', () => {
    expect(page).toBe(siteConfigurationPage())
    expect(JSON.parse(readFileSync(SCHEMA, 'utf8'))).toEqual(JSON.parse(siteConfigurationSchema()))
  })

  it('shows a file that is one', () => {
    const [, text] = /```yaml\n(.*?)```/s.exec(page)!
    const site = parseConfig(text!, siteConfigSchema, { file: 'site.yaml', what: 'site configuration' })
    expect(site.policy).toEqual({ approval: 'ask', maxEpsilonPerRun: 2, maxSteps: 500 })
  })
})
