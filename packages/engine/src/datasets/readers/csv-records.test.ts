import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CsvRecord, csvRecords } from './csv-records.ts'
import { LONGEST_LINE } from './lines.ts'

const CSV = { delimiter: ',', quoting: 'double' } as const

async function recordsOf(chunks: readonly (string | Buffer)[], dialect: Parameters<typeof csvRecords>[1] = CSV) {
  const bytes = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk)
  })()
  const records: CsvRecord[] = []
  for await (const record of csvRecords(bytes, dialect)) records.push(record)
  return records
}

describe('the rows of a table', () => {
  it('are those that csv-parse reads, wherever the chunks end', async () => {
    const pieces = fc.constantFrom('a', 'é', '"', '""', ',', '\n', '\r\n', '\r', ' ', '"x"', '"y\nz"', ',"",')
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 24 }), fc.array(fc.nat(24)), async (parts, cuts) => {
        const text = [...parts.join('')]
        let expected: string[][]
        try {
          const options = { record_delimiter: ['\r\n', '\n', '\r'], skip_empty_lines: true, relax_column_count: true }
          expected = parse(text.join(''), options)
        } catch {
          expect((await recordsOf(text)).some(({ fault }) => fault !== undefined)).toBe(true)
          return
        }
        const ends = [...new Set(cuts.filter((cut) => cut < text.length))].sort((left, right) => left - right)
        const chunks = [...ends, text.length].map((end, at) => text.slice(ends[at - 1] ?? 0, end).join(''))
        const records = await recordsOf(chunks)
        expect(records.map(({ fields }) => fields)).toEqual(expected)
        expect(records.every(({ fault }) => fault === undefined)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('are one row each, with the line on which it begins, also where several things are wrong with it', async () => {
    const text = 'a,b\n"x"y"z",1\r\n\r\nq "r" "s",2\rok,"two\nlines"\nlast,row'
    expect(await recordsOf([text])).toEqual([
      { line: 1, fields: ['a', 'b'] },
      { line: 2, fields: [], fault: 'text behind a quote' },
      { line: 4, fields: [], fault: 'quote in a field' },
      { line: 5, fields: ['ok', 'two\nlines'] },
      { line: 7, fields: ['last', 'row'] },
    ])
    expect(await recordsOf(['a\n"b\nc\n'])).toEqual([
      { line: 1, fields: ['a'] },
      { line: 2, fields: [], fault: 'quote not closed' },
    ])
  })

  it('go on behind one that is too long, of one field, of a quoted one or of many', async () => {
    const chunk = 'x'.repeat(2 ** 20)
    const many = 'x,'.repeat(2 ** 19)
    const times = (text: string) => Array.from({ length: LONGEST_LINE / 2 ** 20 }, () => text)
    const chunks = [
      'a,b\n',
      ...times(chunk),
      'y,1\n1,2\n"',
      ...times(chunk),
      '\n""",1\n3,4\n',
      ...times(many),
      '1\n5,6',
    ]
    expect(await recordsOf(chunks)).toEqual([
      { line: 1, fields: ['a', 'b'] },
      { line: 2, fields: [], fault: 'too long' },
      { line: 3, fields: ['1', '2'] },
      { line: 4, fields: [], fault: 'too long' },
      { line: 6, fields: ['3', '4'] },
      { line: 7, fields: [], fault: 'too long' },
      { line: 8, fields: ['5', '6'] },
    ])
    const longest = [...times(chunk).slice(1), chunk.slice(2), ',1\n2,3']
    expect((await recordsOf(longest)).map(({ fault }) => fault)).toEqual([undefined, undefined])
  })

  it('have fields between delimiters of any character, and quotes that are characters where nothing is quoted', async () => {
    expect(await recordsOf(['a§b\n"c§d"'], { delimiter: '§', quoting: 'none' })).toEqual([
      { line: 1, fields: ['a', 'b'] },
      { line: 2, fields: ['"c', 'd"'] },
    ])
  })
})
