import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fail, outputFor, table } from './output.ts'
import { printable, printableJson, printableLines } from './printable.ts'

const EVIL = 'run\u001b[2J\u001b]0;title\u0007\r\nforged line\u009b31m\u202eexe.\u2066\u2028'
const CONTROL = /(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

describe('text of a peer', () => {
  it('is shown on one line, without a control character, and can be told apart', () => {
    expect(printable(EVIL)).toBe(
      'run\\u001b[2J\\u001b]0;title\\u0007\\u000d\\u000aforged line\\u009b31m\\u202eexe.\\u2066\\u2028',
    )
    expect(printable('Zoë’s 漢字 run 👋')).toBe('Zoë’s 漢字 run 👋')
  })

  it('is no control sequence whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(CONTROL)
        expect(printable(text)).not.toContain('\n')
        expect(printableLines(text)).not.toMatch(CONTROL)
        expect(JSON.parse(printableJson({ text }))).toEqual({ text })
        expect(printableJson({ text })).not.toMatch(CONTROL)
      }),
    )
  })

  it('reaches no terminal as it came, by a line, a table, JSON or an error', () => {
    let shown = ''
    const write = (text: unknown) => {
      shown += String(text)
      return true
    }
    vi.spyOn(process.stdout, 'write').mockImplementation(write)
    vi.spyOn(process.stderr, 'write').mockImplementation(write)
    outputFor({}).line(`joined "${EVIL}"`)
    outputFor({}).line(table([['name'], [EVIL]]))
    outputFor({ json: true }).record({ name: EVIL })
    fail(new Error(EVIL), false)
    fail(new Error(EVIL), true)
    expect(shown).not.toMatch(CONTROL)
  })
})
