import { describe, expect, it } from 'vitest'
import { overlapOf, Sketcher } from './sketch.ts'

const KEY = Buffer.alloc(32, 7)
type Row = Record<string, unknown>
const patient = (n: number): Row => ({
  text: `Señora ${n} was seen on the ward with complaint number ${n * 17}.`,
  summary: `Short résumé of the visit number ${n} to the ward`,
  label: n % 2 === 0 ? 'ham' : 'spam',
  visited: '2024-01-01 00:00:00',
})
const rows = (from: number, to: number): Row[] => Array.from({ length: to - from }, (_, n) => patient(from + n))
const sketch = (data: readonly unknown[], key = KEY, most?: number) => {
  const sketcher = new Sketcher(key, most)
  for (const row of data) sketcher.add(row)
  return sketcher.finish()
}
const DATA = rows(0, 500)
/** The data with every text written in another way. */
const rewritten = (write: (text: string) => string) =>
  DATA.map((row) =>
    Object.fromEntries(Object.entries(row).map(([key, cell]) => [key, typeof cell === 'string' ? write(cell) : cell])),
  )
const share = (data: readonly unknown[]) => overlapOf(sketch(DATA), sketch(data))

describe('two data sets', () => {
  it.each<[string, readonly unknown[]]>([
    ['the same', DATA],
    ['one row less', DATA.slice(1)],
    ['another order', DATA.toReversed()],
    ['another text column of the same rows', DATA.map(({ summary, label }) => ({ summary, label }))],
    ['another label column', DATA.map(({ text }, n) => ({ text, sentiment: n % 3 }))],
    ['white space around texts', rewritten((text) => ` ${text}\n`)],
    ['other white space in texts', rewritten((text) => text.replaceAll(' ', '\u00a0 '))],
    ['capitals', rewritten((text) => text.toUpperCase())],
    ['letters composed another way', rewritten((text) => text.normalize('NFD'))],
    [
      'numbers as texts, as CSV has them',
      DATA.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, String(v)]))),
    ],
    ['each row four times', DATA.flatMap((row) => [row, row, row, row])],
    ['a twentieth of it among others', [...DATA.slice(0, 25), ...rows(1000, 1400)]],
  ])('are found to overlap: %s', (_, data) => {
    expect(share(data)).toBeGreaterThan(0.04)
  })

  it('of other people do not overlap, though labels, dates and boilerplate are alike', () => {
    const boilerplate = (data: readonly Row[]) =>
      data.map((row) => ({ ...row, footer: 'Thank you for your visit to our clinic.' }))
    expect(overlapOf(sketch(boilerplate(DATA)), sketch(boilerplate(rows(1000, 1500))))).toBe(0)
  })

  it('of short texts overlap where whole rows are alike', () => {
    const short = Array.from({ length: 50 }, (_, n) => ({ text: `note ${n}`, label: 'x' }))
    expect(overlapOf(sketch(short), sketch(short.slice(1)))).toBe(1)
  })

  it('cannot be compared under another key: the digests alone tell nothing', () => {
    expect(overlapOf(sketch(DATA), sketch(DATA, Buffer.alloc(32, 8)))).toBe(0)
  })

  it('that are too large to keep whole are compared by a sample', () => {
    const large = (from: number) =>
      Array.from({ length: 10_000 }, (_, n) => ({
        a: `a text of number ${from + n}`,
        b: `another one of ${from + n}`,
      }))
    expect(overlapOf(sketch(large(0), KEY, 4096), sketch(large(5000), KEY, 4096))).toBeCloseTo(0.5, 1)
  })
})
