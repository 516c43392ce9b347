import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Sources whose texts people read; spans are for machines. */
const sources = execFileSync('git', ['ls-files', 'apps/*/src/*', 'packages/*/src/*'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter(
    (path) =>
      /\.tsx?$/.test(path) &&
      !path.includes('.test.') &&
      !path.startsWith('packages/testing/') &&
      !path.endsWith('round-spans.ts'),
  )
  .map((path) => ({ path, text: readFileSync(`${ROOT}${path}`, 'utf8') }))

const found = (pattern: RegExp) =>
  sources.flatMap(({ path, text }) => [...text.matchAll(pattern)].map((match) => ({ path, match })))

describe('what people read', () => {
  it('counts rounds from 1 on: each number of a round goes through the one helper', () => {
    const numbers = found(/\b(?:[Rr]ound|[Bb]uffer) \$?\{([^}\n]+)\}/g).map(({ path, match: [, of] }) => ({
      path,
      of: of!,
    }))
    expect(numbers.length).toBeGreaterThan(35)
    expect(numbers.filter(({ of }) => !of.startsWith('roundNumber('))).toEqual([])
    expect(found(/\bround \+ 1\}/g)).toEqual([])
  })
})
