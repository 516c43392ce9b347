import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const page = readFileSync(new URL('../../docs/explanation/pitfalls.md', import.meta.url), 'utf8')
const rows = page.split('\n').filter((line) => /^\| (?!pitfall|-)/.test(line))

/** `file`: "title", "title"; `file`: "title" */
function guards(row: string): { file: string; title: string }[] {
  const cell = row.split(' | ').at(-1) ?? ''
  return cell.split(/; (?=`)/).flatMap((part) => {
    const file = /`([^`]+)`/.exec(part)?.[1] ?? ''
    return [...part.matchAll(/"([^"]+)"/g)].map(([, title]) => ({ file, title: title! }))
  })
}

describe('the page of pitfalls', () => {
  it('names a guard for each', () => {
    expect(rows.length).toBeGreaterThan(20)
    expect(rows.filter((row) => guards(row).length === 0)).toEqual([])
  })

  it.each(rows.flatMap(guards))('$file has the test "$title"', ({ file, title }) => {
    expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).toContain(title)
  })
})
