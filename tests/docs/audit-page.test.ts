import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

const fileOf = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')

describe('the page on audits', () => {
  it('names, for each fault that an audit cannot see, a test that exists', async () => {
    const page = await fileOf('docs/how-to/audit.md')
    const rows = Array.from(page.matchAll(/^\| .+ \| `(.+)` \| `(.+\.test\.ts)` \|$/gm), ([, test, file]) => ({
      test: test!,
      file: file!,
    }))
    expect(rows.length).toBeGreaterThanOrEqual(10)
    for (const { test, file } of rows) expect(await fileOf(file)).toMatch(`'${test}'`)
  })
})
