import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BAD_TEXT_MARK } from './bad-text.ts'
import { checkedUtf8, validUtf8Length } from './utf8.ts'

/** A stream of the given bytes in pieces of `size`, and how many pieces were taken from it. */
function stream(bytes: Buffer, size: number) {
  const taken = { pieces: 0 }
  async function* pieces() {
    for (let from = 0; from < bytes.length; from += size) {
      taken.pieces += 1
      yield bytes.subarray(from, from + size)
    }
  }
  return { taken, pieces: pieces() }
}

async function passed(bytes: Buffer, size: number): Promise<Buffer | string> {
  const out: Buffer[] = []
  try {
    for await (const piece of checkedUtf8(stream(bytes, size).pieces, 'file', refuse)) out.push(piece)
    return Buffer.concat(out)
  } catch (error) {
    return (error as Error).message
  }
}

function refuse(fault: Error): never {
  throw fault
}

/** Bytes of characters of every length, with some that are at the edges of what is allowed, or beyond. */
const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }).map((text) => Buffer.from(text, 'utf8')),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom('e0a080', 'e09f80', 'ed9fbf', 'eda080', 'f0908080', 'f08f8080', 'f48fbfbf', 'f4908080', 'c0af')
    .map((hex) => Buffer.from(hex, 'hex')),
)
const bytes = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.concat(pieces))

describe('UTF-8', () => {
  it('is told from other bytes as Node tells it, and up to the right byte', () => {
    fc.assert(
      fc.property(bytes, (all) => {
        const length = validUtf8Length(all)
        expect(length === all.length).toBe(isUtf8(all))
        expect(isUtf8(all.subarray(0, length))).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('is passed on around every byte that is none, with a mark in its place', async () => {
    const out: Buffer[] = []
    const faults: string[] = []
    const latin1 = Buffer.from('a\nM\xfcller, \xe9t\xe9\nb', 'latin1')
    const pieces = checkedUtf8(stream(latin1, 3).pieces, 'file', ({ message }) => {
      faults.push(message)
      return BAD_TEXT_MARK
    })
    for await (const part of pieces) out.push(part)
    const marked = latin1.toString('latin1').replaceAll(/[\x80-\xff]/g, BAD_TEXT_MARK)
    expect(Buffer.concat(out).toString('utf8')).toBe(marked)
    expect(faults).toHaveLength(3)
    for (const [at, byte] of [2, 9, 11].entries())
      expect(faults[at]).toContain(`file:2, got other bytes from byte ${byte} `)
  })

  it('passes through a stream as it is, or is refused, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.integer({ min: 1, max: 5 }), async (all, size) => {
        const result = await passed(all, size)
        if (isUtf8(all)) expect(result).toEqual(all)
        else expect(result).toMatch(/^DATA_UNREADABLE: expected UTF-8 text at file:\d+, got other bytes from byte \d+/)
      }),
      { numRuns: 500 },
    )
  })

  it('is refused at the first wrong byte, not at the end of the file', async () => {
    const { taken, pieces } = stream(Buffer.concat([Buffer.from('ab\ncd'), Buffer.alloc(1000, 0xe9)]), 10)
    const reading = (async () => {
      for await (const _ of checkedUtf8(pieces, 'file', refuse));
    })()
    await expect(reading).rejects.toThrow('at file:2, got other bytes from byte 3')
    expect(taken.pieces).toBe(1)
  })
})
