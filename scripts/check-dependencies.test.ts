import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { breachesOf, breachesOfTree, packageOf } from './check-dependencies.ts'

const own = { name: '@fedsvd/engine', dependencies: { zod: '4' }, devDependencies: {} }
const workspace = { devDependencies: { vitest: '4', twice: '2' } }
const lock = {
  packages: {
    'node_modules/once': { version: '1.0.0' },
    'node_modules/pair': { version: '0.4.3' },
    'apps/server/node_modules/pair': { version: '0.5.14' },
    'node_modules/not-pair-itself': { version: '9.0.0' },
    'node_modules/@fedsvd/core': { link: true },
  },
}
const tried = (file: string, source: string) => breachesOf(file, source, { own, workspace, lock })

describe('what a source file imports', () => {
  it('is named by its package, whatever file of it', () => {
    expect(packageOf('zod/v4')).toBe('zod')
    expect(packageOf('@fedsvd/core/lora')).toBe('@fedsvd/core')
    for (const none of ['./file.ts', '../x', '#alias', 'node:fs', 'fs', 'virtual:page']) {
      expect(packageOf(none)).toBeUndefined()
    }
  })

  it('is declared by its own package', () => {
    const file = 'packages/engine/src/a.ts'
    expect(tried(file, "import { z } from 'zod'\nimport x from '@fedsvd/engine/y'")).toEqual([])
    expect(tried(file, "import x from 'vitest'")).toEqual([expect.stringContaining('imports vitest')])
    expect(tried(file, "const x = await import('once')")).toEqual([expect.stringContaining('imports once')])
  })

  it('may be declared by the workspace, or be there once, in a test', () => {
    const file = 'packages/engine/src/a.test.ts'
    expect(tried(file, "import x from 'vitest'\nimport y from 'once'\nimport z from '@fedsvd/core'")).toEqual([])
    expect(tried(file, "import x from 'pair'")).toEqual([expect.stringContaining('0.4.3 and 0.5.14')])
  })

  it('is so throughout the tree', () => {
    expect(breachesOfTree(fileURLToPath(new URL('..', import.meta.url)))).toEqual([])
  })
})
