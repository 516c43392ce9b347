import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../apps/cli/src/config-file/index.ts'
import { runConfigSchema } from '../../apps/cli/src/run-config/index.ts'
import { PAGE, runConfigurationPage, runConfigurationSchema, SCHEMA } from '../../scripts/run-configuration-page.ts'

const page = readFileSync(PAGE, 'utf8')

describe('the page on the run configuration', () => {
  it('and its JSON schema say what the schema says: npx tsx scripts/run-configuration-page.ts writes them', () => {
    expect(page).toBe(runConfigurationPage())
    expect(JSON.parse(readFileSync(SCHEMA, 'utf8'))).toEqual(JSON.parse(runConfigurationSchema()))
  })

  it('shows files that are one', () => {
    const files = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!)
    expect(files.length).toBe(2)
    for (const text of files) parseConfig(text, runConfigSchema, { file: 'run.yaml', what: 'run configuration' })
  })
})
