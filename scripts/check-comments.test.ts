import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { breachesOfTree, WIDTH, wideLines } from './check-comments.ts'

const filler = (length: number) => 'x '.repeat(length).slice(0, length)

describe('the width of comments', () => {
  it('bites on a comment of one column more, alone, in a block or behind code', () => {
    expect(wideLines('a.ts', `// ${filler(WIDTH - 3)}`)).toEqual([])
    expect(wideLines('a.ts', `// ${filler(WIDTH - 2)}`)).toEqual([1])
    expect(wideLines('a.ts', `/**\n * ${filler(WIDTH - 2)}\n */\nconst a = 1`)).toEqual([2])
    expect(wideLines('a.ts', `const a = 1\nconst b = 2 // ${filler(WIDTH)}`)).toEqual([2])
  })

  it('leaves code, and what cannot be wrapped, alone', () => {
    expect(wideLines('a.ts', `const a = '// ${filler(WIDTH)}'`)).toEqual([])
    expect(wideLines('a.ts', `// https://example.org/${'x'.repeat(WIDTH)}`)).toEqual([])
  })

  it('holds for the whole tree', () => {
    expect(breachesOfTree(fileURLToPath(new URL('..', import.meta.url)))).toEqual([])
  })
})
