import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ENVIRONMENT } from '../../packages/engine/src/settings/index.ts'

const fileOf = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const page = fileOf('docs/explanation/security.md')
const rows = page.split('\n').filter((line) => /^\| .+ \| `[^`]+\.test\.ts`: "/.test(line))

/** `file`: "title", "title"; `file`: "title" */
function proofs(row: string): { file: string; title: string }[] {
  const cell = row.split(' | ').at(-1) ?? ''
  return cell.split(/; (?=`)/).flatMap((part) => {
    const file = /`([^`]+)`/.exec(part)?.[1] ?? ''
    return Array.from(part.matchAll(/"([^"]+)"/g), ([, title]) => ({ file, title: title! }))
  })
}

describe('the guarantees of the page about security', () => {
  it('are many, and each names a test', () => {
    expect(rows.length).toBeGreaterThan(15)
    const table = page.slice(page.indexOf('| guarantee |'), page.indexOf('\nThe limits, each'))
    expect(table.trim().split('\n').length - 2).toBe(rows.length)
  })

  it.each(rows.flatMap(proofs))('$file has the test "$title"', ({ file, title }) => {
    const path = new URL(`../../${file}`, import.meta.url)
    expect(existsSync(path)).toBe(true)
    const titles = Array.from(fileOf(file).matchAll(/(['`])((?:\\.|(?!\1).)*)\1/g), ([, , text]) => text)
    expect(titles).toContain(title)
  })

  it('names settings that exist', () => {
    const known = new Set<string>(Object.values(ENVIRONMENT))
    for (const text of [page, fileOf('docs/how-to/observe.md')]) {
      const named = Array.from(text.matchAll(/`(FEDSVD_[A-Z_]+|OTEL_EXPORTER_OTLP_ENDPOINT)/g), ([, name]) => name!)
      expect(named.length).toBeGreaterThan(3)
      expect(named.filter((name) => !known.has(name))).toEqual([])
    }
  })

  it('and the metrics that the page about observing lists', () => {
    const source = fileOf('apps/server/src/telemetry/metrics.ts')
    const made = Array.from(source.matchAll(/name: '(fedsvd_[a-z_]+)'/g), ([, name]) => name!)
    const listed = Array.from(fileOf('docs/how-to/observe.md').matchAll(/`(fedsvd_[a-z_]+)/g), ([, name]) => name!)
    expect(listed.toSorted()).toEqual(made.toSorted())
  })
})
