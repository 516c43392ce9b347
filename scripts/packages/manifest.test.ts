import { describe, expect, it } from 'vitest'
import { publishedManifest } from './manifest.ts'
import { manifestOf, PUBLISHED } from './published.ts'

describe('the manifest of a published package', () => {
  it.each(Object.entries(PUBLISHED))('%s names every other in the version that it has here', (name, { source }) => {
    const {
      dependencies,
      private: isPrivate,
      exports,
    } = publishedManifest(name) as {
      readonly dependencies: Readonly<Record<string, string>>
      readonly private?: boolean
      readonly exports: object
    }
    expect(isPrivate).toBeUndefined()
    for (const [dependency, range] of Object.entries(dependencies)) {
      expect(range, dependency).toMatch(/^\d+\.\d+\.\d+/)
      const other = PUBLISHED[dependency]
      if (other !== undefined) expect(range).toBe(manifestOf(other.source).version)
    }
    const ours = Object.keys(manifestOf(source).dependencies).filter((dependency) => dependency.startsWith('@fedsvd/'))
    expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(ours))
    expect(JSON.stringify(exports)).not.toMatch(/\/src\/|\*/)
  })
})
