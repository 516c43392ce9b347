import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const page = readFileSync(new URL('../../docs/explanation/reliability.md', import.meta.url), 'utf8')
const rows = page.split('\n').filter((line) => /^\| (?!promise|-)/.test(line))

/** `file`: "title", "title"; `file`: "title" */
function tests(row: string): { file: string; title: string }[] {
  const cell = row.split(' | ').at(-1) ?? ''
  return cell.split(/; (?=`)/).flatMap((part) => {
    const file = /`([^`]+)`/.exec(part)?.[1] ?? ''
    return [...part.matchAll(/"([^"]+)"/g)].map(([, title]) => ({ file, title: title! }))
  })
}

describe('the page on reliability', () => {
  it('names a test for each promise, in every section that makes one', () => {
    expect(rows.length).toBeGreaterThan(25)
    expect(rows.filter((row) => tests(row).length === 0)).toEqual([])
  })

  it.each(rows.flatMap(tests))('$file has the test "$title"', ({ file, title }) => {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    expect(source.includes(`'${title}'`)).toBe(true)
  })

  it('holds every decision that it points to', () => {
    for (const [, link] of page.matchAll(/\]\((\.\.\/decisions\/[^)]+)\)/g)) {
      expect(() => readFileSync(new URL(link!, new URL('../../docs/explanation/', import.meta.url)))).not.toThrow()
    }
  })
})
