import { REPORT_PART_CHARACTERS } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { ReportInParts } from './report-parts.ts'

const ID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
const OTHER = '3f2504e0-4f89-41d3-9a0c-0305e82c3302'
const part = (index: number, of: number, text = `<${index}>`, id = ID) => ({ id, index, of, text })
const LONG = 'x'.repeat(REPORT_PART_CHARACTERS)

describe('a report in parts', () => {
  it('is joined in order, and the next one begins anew', () => {
    const report = new ReportInParts(1000)
    expect([0, 1, 2].map((index) => report.take(part(index, 3)))).toEqual([undefined, undefined, '<0><1><2>'])
    expect([0, 1].map((index) => report.take(part(index, 2)))).toEqual([undefined, '<0><1>'])
  })

  it('takes a part again that it has, and begins anew under another id', () => {
    const report = new ReportInParts(1000)
    for (const index of [0, 0, 1, 0, 1]) expect(report.take(part(index, 3))).toBeUndefined()
    expect(report.take(part(0, 2, 'new', OTHER))).toBeUndefined()
    expect(report.take(part(1, 2, ' one', OTHER))).toBe('new one')
  })

  it.each<[string, object]>([
    ['the next but one', part(2, 4)],
    ['another text for the same part', part(0, 4, 'other')],
    ['another number of parts', part(1, 5)],
    ['of another report', part(1, 4, '', OTHER)],
    ['a part behind the last', part(4, 4)],
    ['no part at all', { id: ID, index: 1, of: 4 }],
    ['a key that it does not have', { ...part(1, 4), more: 1 }],
    ['a part that is too long', part(1, 4, `${LONG}x`)],
    ['one of too many parts', part(0, 257, 'x', OTHER)],
    ['a fraction', part(0.5, 4)],
  ])('refuses %s', (_, message) => {
    const report = new ReportInParts(1000)
    report.take(part(0, 4))
    expect(() => report.take(message)).toThrow('MESSAGE_INVALID')
  })

  it('drops what came before a part that does not fit, and keeps no more than its limit', () => {
    const report = new ReportInParts(3 * REPORT_PART_CHARACTERS)
    for (const index of [0, 1, 2]) report.take(part(index, 256, LONG))
    expect(() => report.take(part(3, 256, LONG))).toThrow(
      `MESSAGE_INVALID: expected a report of at most ${3 * REPORT_PART_CHARACTERS} characters in all its parts, got more in part 4 of 256`,
    )
    expect(() => report.take(part(3, 256, 'x'))).toThrow('expected part 1, which begins a report, got part 4 of 256')
  })

  it('counts only the next part of a report as already paid for', () => {
    const report = new ReportInParts(1000)
    expect(report.isNext(part(0, 3))).toBe(false)
    report.take(part(0, 3))
    expect(report.isNext(part(1, 3))).toBe(true)
    for (const message of [part(0, 3), part(2, 3), part(1, 4), part(1, 3, '', OTHER), null, undefined, 'text', [], {}])
      expect(report.isNext(message)).toBe(false)
  })
})
