import { describe, expect, it } from 'vitest'
import { bytesOf, bytesText, textOf, transcript } from './transcript.ts'

describe('a transcript', () => {
  it('differs wherever its subject, the number of its parts or where they end differ', () => {
    const statements = [
      transcript('box', 'ab', 'c'),
      transcript('box', 'a', 'bc'),
      transcript('box', 'abc'),
      transcript('box', 'abc', ''),
      transcript('boxab', 'c'),
      transcript('box', 'ab', 'c', 0),
      transcript('box', 1, 23),
      transcript('box', 12, 3),
    ]
    expect(new Set(statements.map(textOf)).size).toBe(statements.length)
  })

  it('is the bytes that the reference says', () => {
    const name = 'fedsvd-secure-aggregation-v1'
    const parts = [name, 'box', '12', '\u0001\u0002']
    const expected = parts.flatMap((part) => [0, 0, 0, part.length, ...Array.from(part, (c) => c.charCodeAt(0))])
    expect([...transcript('box', 12, Uint8Array.of(1, 2))]).toEqual(expected)
  })
})

describe('bytes as text', () => {
  it('have one spelling', () => {
    const text = textOf(new Uint8Array(32).fill(255))
    expect(text).toBe(`${'_'.repeat(42)}8`)
    expect(bytesOf(text)).toEqual(new Uint8Array(32).fill(255))
    const schema = bytesText(32)
    expect(schema.safeParse(text).success).toBe(true)
    for (const other of [`${'_'.repeat(42)}9`, `${text}=`, text.slice(1), `${'/'.repeat(42)}8`, '']) {
      expect(schema.safeParse(other).success).toBe(false)
    }
  })
})
