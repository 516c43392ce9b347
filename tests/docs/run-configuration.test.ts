import { readFileSync } from 'node:fs'
import path from 'node:path'
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

  it.each([
    ['reference/run-configuration.md', 2],
    ['how-to/run-a-federation.md', 1],
    ['tutorials/your-own-bert.md', 1],
  ])('is of files such as those in %s', (name, count) => {
    const text = readFileSync(path.join(import.meta.dirname, '../../docs', name), 'utf8')
    const files = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, file]) => file!)
    expect(files.length).toBe(count)
    for (const file of files) parseConfig(file, runConfigSchema, { file: 'run.yaml', what: 'run configuration' })
  })
})
