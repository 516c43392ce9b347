import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fingerprintRecords } from '../fingerprint/fingerprint.ts'
import type { SiteRecord } from '../text-record.ts'
import { loadRecords, readableRecords, readSiteRecords } from './read-records.ts'
import type { ReadOptions } from './row.ts'

/*
 * Files that people really have. A row is never merged, dropped or changed silently.
 */

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-inputs-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return path
}
const load = (name: string, content: string | Uint8Array, options?: ReadOptions) =>
  loadRecords(write(name, content), options)
const pairs = (records: readonly { readonly text: string; readonly label: string }[]) =>
  records.map(({ text, label }) => [text, label])

describe('line ends of any mix', () => {
  const rows = [
    ['a good one', 'ham'],
    ['bad one', 'spam'],
    ['third', 'ham'],
  ]
  const ends = ['\n', '\r\n', '\r']
  const mixes = ends.flatMap((first) => ends.flatMap((second) => ends.map((last) => [first, second, last] as const)))

  it.each(mixes)('CSV with %j, %j and %j', async (first, second, last) => {
    const content = `text,label${first}${rows[0]}${second}${rows[1]}${first}${rows[2]}${last}`
    expect(pairs(await load('mixed.csv', content))).toEqual(rows)
  })

  it.each(mixes)('JSONL with %j, %j and %j', async (first, second, last) => {
    const [one, two, three] = rows.map(([text, label]) => JSON.stringify({ text, label }))
    expect(pairs(await load('mixed.jsonl', `${one}${first}${two}${second}${three}${last}`))).toEqual(rows)
  })

  it('a single column', async () => {
    const path = write('one-column.csv', 'text\r\nfirst note\nsecond note\nthird note\n')
    const texts: unknown[] = []
    for await (const record of readSiteRecords(path, { task: 'causal-lm' }))
      texts.push((record as { text: string }).text)
    expect(texts).toEqual(['first note', 'second note', 'third note'])
  })

  it('one fingerprint for all of them', async () => {
    const fingerprints = new Set<string>()
    for (const end of ends) {
      const content = ['text,label', ...rows.map(String)].join(end)
      fingerprints.add(fingerprintRecords(await load('ends.csv', content)))
    }
    expect(fingerprints.size).toBe(1)
  })
})

describe('quotes in tab-separated files are characters', () => {
  it.each<[string, string, ReadOptions, string[][]]>([
    [
      'a quote that opens and closes two rows later merges nothing',
      'label\ttext\n0\tone\n1\t"two starts\n0\tthree ends"\n1\tfour\n',
      {},
      [
        ['one', '0'],
        ['"two starts', '1'],
        ['three ends"', '0'],
        ['four', '1'],
      ],
    ],
    [
      'inside a field',
      'sentence\tlabel\nhe said "no" twice\t0\nplain\t1\n',
      { textColumn: 'sentence' },
      [
        ['he said "no" twice', '0'],
        ['plain', '1'],
      ],
    ],
    [
      'that never close',
      'sentence\tlabel\n"hide new secretions \t0\nthat loves "its" characters"\t1\n',
      { textColumn: 'sentence' },
      [
        ['"hide new secretions ', '0'],
        ['that loves "its" characters"', '1'],
      ],
    ],
  ])('%s', async (_, content, options, expected) => {
    expect(pairs(await load('glue.tsv', content, options))).toEqual(expected)
  })

  it('unless quoting is asked for; and in a CSV file the other way round', async () => {
    expect(pairs(await load('quoted.tsv', 'text\tlabel\n"a\tb"\tx\n', { quoting: 'double' }))).toEqual([['a\tb', 'x']])
    expect(pairs(await load('raw.csv', 'text,label\n"a,x\n', { quoting: 'none' }))).toEqual([['"a', 'x']])
  })

  it('another delimiter', async () => {
    expect(pairs(await load('german.csv', 'text;label\na, b;x\n', { delimiter: ';' }))).toEqual([['a, b', 'x']])
    await expect(load('german.csv', 'text;label\n', { delimiter: '||' })).rejects.toThrow(
      /CONFIG_INVALID.*one character/,
    )
  })
})

describe('encodings', () => {
  const utf16be = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()
  it.each<[string, string, Uint8Array, RegExp]>([
    [
      'UTF-16 LE',
      'a.csv',
      Buffer.from('\ufefftext,label\na,ham\n', 'utf16le'),
      /got text in UTF-16LE.*--encoding utf-16le/,
    ],
    ['UTF-16 BE', 'a.jsonl', utf16be('{"text":"a","label":"x"}\n'), /got text in UTF-16BE.*--encoding utf-16be/],
    ['UTF-16 without a mark', 'a.csv', Buffer.from('text,label\na,ham\n', 'utf16le'), /got text in UTF-16LE/],
    [
      'Latin-1',
      'a.csv',
      Buffer.from('text,label\ncaf\xe9,ham\n', 'latin1'),
      /a.csv:2, got other bytes from byte 4.*--encoding windows-1252/,
    ],
    [
      'a workbook',
      'a.csv',
      Buffer.from('PK\u0003\u0004\0\0'),
      /a text file at .*a.csv, got a workbook.*as CSV in UTF-8/,
    ],
    ['a PDF', 'a.jsonl', Buffer.from('%PDF-1.7\n'), /a text file at .*a.jsonl, got a PDF/],
    [
      'an old workbook',
      'a.tsv',
      Buffer.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0, 0),
      /got a workbook or another document of Office 97.*as CSV in UTF-8/,
    ],
    ['gzip', 'a.csv', gzipSync('text,label\na,ham\n'), /a text file at .*a.csv, got a gzip file. End its name in .gz/],
    ['zstd', 'a.jsonl', Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0), /got a zstd file. Decompress it/],
    ['xz', 'a.csv', Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), /got an xz file. Decompress it/],
    ['bzip2', 'a.csv', Buffer.from('BZh91AY&SY'), /got a bzip2 file. Decompress it/],
    ['Parquet', 'a.csv', Buffer.from('PAR1'), /got a Parquet file. End its name in .parquet/],
    ['Arrow', 'a.csv', Buffer.from('ARROW1\0\0'), /got an Arrow or Feather file. Write it as Parquet/],
    ['Feather of version 1', 'a.jsonl', Buffer.from('FEA1\0\0'), /got a Feather file. Write it as Parquet/],
    ['ORC', 'a.csv', Buffer.from('ORC\0'), /got an ORC file/],
    ['Avro', 'a.jsonl', Buffer.from('Obj\u0001'), /got an Avro file/],
    ['SQLite', 'a.csv', Buffer.from('SQLite format 3\0'), /got an SQLite database. Save its table as CSV/],
    ['SPSS', 'a.csv', Buffer.from('$FL2@(#) SPSS'), /got a file of SPSS. Save its table as CSV/],
    ['Stata', 'a.csv', Buffer.from('<stata_dta><header>'), /got a file of Stata/],
    ['NumPy', 'a.csv', Buffer.from('\x93NUMPY', 'latin1'), /got a NumPy file/],
    ['a pickle', 'a.jsonl', Buffer.of(0x80, 4, 0x95, 0), /got a pickle of Python/],
    ['7z', 'a.csv', Buffer.of(0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c), /got a 7z archive. Unpack it/],
    ['a git-lfs pointer', 'a.csv', Buffer.from('version https://git-lfs.github.com/spec/v1\noid x\n'), /git lfs pull/],
    ['a web page', 'a.jsonl', Buffer.from('<!doctype html>\n<html>'), /got a web page, such as an error or a sign-in/],
    ['gzip in gzip', 'a.csv.gz', gzipSync(gzipSync('text,label\n')), /got a gzip file/],
    ['text', 'a.csv.gz', Buffer.from('text,label\na,ham\n'), /no gzip, or a damaged one.*take .gz from its name/],
    ['UTF-32 LE', 'a.csv', Buffer.of(0xff, 0xfe, 0, 0, 0x74, 0, 0, 0), /got text in UTF-32. Save it as UTF-8/],
    ['UTF-32 BE', 'a.csv', Buffer.of(0, 0, 0xfe, 0xff, 0, 0, 0, 0x74), /got text in UTF-32. Save it as UTF-8/],
    [
      "Excel's first line",
      'a.csv',
      Buffer.from('sep=;\r\ntext;label\r\n'),
      /a.csv:1, got the line "sep=;".*--delimiter ';'/,
    ],
    [
      'the same for commas',
      'a.csv',
      Buffer.from('sep=,\ntext,label\n'),
      /got the line "sep=," of Excel. Remove that line\.$/,
    ],
    [
      'names of columns twice',
      'a.csv',
      Buffer.from('text,label,n,n\n'),
      /columns of different names at .*:1, got "n" twice/,
    ],
    [
      'columns without names',
      'a.csv',
      Buffer.from('text,label,,\n'),
      /columns of different names at .*:1, got "" twice/,
    ],
    ['a NUL byte', 'a.csv', Buffer.from('text,label\na\0b,ham\n'), /text without NUL bytes at .*a.csv:2/],
  ])('%s is named, with the remedy', async (_, name, bytes, message) => {
    await expect(load(name, bytes)).rejects.toThrow(message)
  })

  it('a workbook is named also where another encoding is asked for', async () => {
    const options = { encoding: 'windows-1252' }
    await expect(load('a.csv', Buffer.from('PK\u0003\u0004\0\0'), options)).rejects.toThrow(/got a workbook/)
  })

  it.each<[string, string, string, RegExp]>([
    ['semicolons in a .csv', 'a.csv', 'text;label\na;ham\n', /--delimiter ';'/],
    ['tabs in a .csv', 'a.csv', 'text\tlabel\na\tham\n', /--delimiter \$'\\t'/],
    ['commas in a .tsv', 'a.tsv', 'text,label\na,ham\n', /--delimiter ','/],
    ['other names', 'a.csv', 'Text,Label\na,ham\n', /no "text", "label" among "Text", "Label".*--text-column/],
  ])('%s: the message says what to pass', async (_, name, content, message) => {
    await expect(load(name, content)).rejects.toThrow(message)
  })

  it.each<[string, Uint8Array]>([
    ['windows-1252', Buffer.from('text,label\ncaf\xe9 \x80,ham\n', 'latin1')],
    ['utf-16le', Buffer.from('\ufefftext,label\ncafé €,ham\n', 'utf16le')],
    ['utf-16be', utf16be('text,label\ncafé €,ham\n')],
    ['utf8', Buffer.from('\ufefftext,label\ncafé €,ham\n')],
  ])('%s is read where it is asked for', async (encoding, bytes) => {
    expect(pairs(await load('coded.csv', bytes, { encoding }))).toEqual([['café €', 'ham']])
  })

  it('a name that is no encoding, and bytes that the named one does not have', async () => {
    await expect(load('a.csv', 'text,label\n', { encoding: 'klingon' })).rejects.toThrow(/CONFIG_INVALID.*got klingon/)
    await expect(load('a.csv', Buffer.of(0x81, 0x20, 0x0a), { encoding: 'shift_jis' })).rejects.toThrow(
      /text in shift_jis/,
    )
  })
})

describe('the place of a row is its first line', () => {
  it('with line ends inside of earlier rows, and of its own', async () => {
    const content = 'text,label\r\n"a\r\nb",ham\r\n"c\r\nd\r\ne",x\r\nf,ham\r\n'
    await expect(load('line4.csv', content, { labels: ['ham', 'spam'] })).rejects.toThrow(/line4.csv:4/)
  })

  it.each(['\n', '\r\n', '\r'])('behind blank lines that end in %j', async (end) => {
    const content = ['text,label', '', 'a,ham', '', '', ',ham'].join(end)
    await expect(load('blank.csv', content)).rejects.toThrow(/blank.csv:6, got an empty text/)
  })

  it('in a long file that comes in many chunks', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => `"line one of ${n}\r\nline two",ham`)
    await expect(load('long.csv', `text,label\r\n${rows.join('\r\n')}\r\n,ham\r\n`)).rejects.toThrow(/long.csv:40002,/)
  })
})

describe('values that would be lost', () => {
  it.each<[string, string, RegExp]>([
    [
      'a key that stands there twice',
      '{"text":"a","label":"x","label":"y"}',
      /every member of the object once at .*:1, got "label" twice/,
    ],
    ['NaN, which is no JSON', '{"text":"a","label":NaN}', /one JSON object at .*:1/],
    [
      'a list in place of an object',
      '[{"text":"a","label":"x"}]',
      /one JSON object on each line at .*:1, got a list of objects/,
    ],
    ['a comma behind an object', '{"text":"a","label":"x"},', /one JSON object at .*:1/],
    ['a comma behind the last member', '{"text":"a","label":"x",}', /one JSON object at .*:1/],
    ['an object in place of a text', '{"text":{"a":1},"label":"x"}', /a text .* at .*:1, got an object/],
    ['a list in place of a label', '{"text":"a","label":["x"]}', /a label in "label" at .*:1, got a list/],
    ['half a character in the text', '{"text":"a\\ud800","label":"x"}', /whole characters at .*:1, got half of one/],
    ['half a character in the label', '{"text":"a","label":"\\udc00"}', /whole characters at .*:1/],
  ])('%s is refused', async (_, line, message) => {
    await expect(load('bad.jsonl', `${line}\n`)).rejects.toThrow(message)
  })

  it('integers beyond 2^53 keep their digits', async () => {
    const content = '{"text":"9007199254740993","label":9007199254740993}\n{"text":"b","label":-9007199254740995}\n'
    expect(pairs(await load('big.jsonl', content))).toEqual([
      ['9007199254740993', '9007199254740993'],
      ['b', '-9007199254740995'],
    ])
  })
})

describe('numbers that are no label', () => {
  it.each([
    ['a.csv', 'text,label\na,%\n', ['NaN', 'nan', 'inf', '-Infinity', '']],
    ['a.tsv', 'text\tlabel\na\t%\n', ['NaN', '+inf', '']],
    ['a.jsonl', '{"text":"a","label":%}\n', ['"NaN"', '"-inf"', 'null', '""']],
  ])('in %s', async (name, content, values) => {
    for (const value of values) {
      const loading = load(name, content.replace('%', value))
      await expect(loading, value).rejects.toThrow(/DATA_UNREADABLE: expected a label in "label"/)
    }
  })
})

describe('folders', () => {
  it('are read through symbolic links', async () => {
    write('elsewhere/ham/a.txt', 'one')
    mkdirSync(join(folder, 'mail/spam'), { recursive: true })
    write('mail/spam/b.txt', 'two')
    symlinkSync(join(folder, 'elsewhere/ham'), join(folder, 'mail/ham'))
    symlinkSync(join(folder, 'elsewhere/ham/a.txt'), join(folder, 'mail/spam/c.txt'))
    expect(pairs(await loadRecords(join(folder, 'mail')))).toEqual([
      ['one', 'ham'],
      ['two', 'spam'],
      ['one', 'spam'],
    ])
  })

  it('have one label and one file for a name, however its accents are spelled', async () => {
    write('mail/gru\u0308n/a.txt', 'one')
    write('mail/rot/b.txt', 'two')
    expect(pairs(await loadRecords(join(folder, 'mail')))[0]).toEqual(['one', 'gr\u00fcn'])
    write('list/u\u0308.txt', 'text')
    write('list/labels.csv', 'file,label\n\u00fc.txt,x\n')
    expect(pairs(await loadRecords(join(folder, 'list')))).toEqual([['text', 'x']])
  })
})

it('a record has one label whatever spells it', async () => {
  const spellings = ['text,label\na,True\nb,1.0\nc,-0.0\n', 'text,label\na,TRUE\nb,1\nc,0\n']
  for (const content of spellings) {
    const records: readonly SiteRecord[] = await load('spelled.csv', content, { labels: ['true', '1', '0'] })
    expect(records.map((record) => (record as { label: string }).label)).toEqual(['true', '1', '0'])
  }
  await expect(load('missing.csv', 'text,label\na,NaN\n')).rejects.toThrow(/a label in "label"/)
})

describe('one JSON text under the name of JSON lines', () => {
  const objects = [
    { text: 'a', label: 'x' },
    { text: 'b', label: 'y' },
  ]
  it.each<[string, string, RegExp]>([
    ['a list over many lines', JSON.stringify(objects, null, 2), /got a list of objects.*jq -c '\.\[\]'/],
    ['a list on one line', JSON.stringify(objects), /got a list of objects/],
    ['a list with an object on each line', `[${objects.map((one) => JSON.stringify(one)).join(',\n')}]`, /got a list/],
    ['a list behind blank lines', `\n\n [\n${JSON.stringify(objects[0])}]`, /on each line at .*a\.jsonl:3, got a list/],
    [
      'an object over many lines',
      JSON.stringify({ data: objects }, null, 2),
      /got an object over several lines.*jq -c/,
    ],
  ])('is told with the remedy, as a fault of its first row: %s', async (_, content, message) => {
    await expect(load('a.jsonl', content)).rejects.toThrow(message)
    const leftOut: string[] = []
    const records = readableRecords(write('a.jsonl', content), {}, ({ message: told }) => leftOut.push(told))
    for await (const _record of records);
    expect(leftOut[0]).toMatch(message)
  })

  it('is not what a row that is a list makes of a file', async () => {
    await expect(load('a.jsonl', `[1, 2]\n${JSON.stringify(objects[0])}\n`)).rejects.toThrow(/a\.jsonl:1/)
  })
})

describe('a file without rows', () => {
  let database: DuckDBConnection
  beforeAll(async () => {
    database = await (await DuckDBInstance.create(':memory:')).connect()
  })
  afterAll(() => database.closeSync())

  it.each([
    ['empty.jsonl', ''],
    ['blank.jsonl', '\n \n'],
    ['header.csv', 'text,label\n'],
    ['header.tsv', 'text\tlabel'],
  ])('%s has no records, whatever its format', async (name, content) => {
    expect((await readSiteRecords(write(name, content)).next()).done).toBe(true)
    await expect(load(name, content)).rejects.toThrow(/^DATA_EMPTY/)
  })

  it('an empty Parquet file has none either, with its columns, and is refused without them', async () => {
    const path = join(folder, 'empty.parquet')
    await database.run(`COPY (SELECT 'a' AS text, 'b' AS label WHERE false) TO '${path}' (FORMAT parquet)`)
    expect((await readSiteRecords(path).next()).done).toBe(true)
    await expect(loadRecords(path)).rejects.toThrow(/^DATA_EMPTY/)
    await expect(readSiteRecords(path, { labelColumn: 'class' }).next()).rejects.toThrow(/no "class"/)
  })

  it('an empty CSV file is refused: it lacks the line with its columns', async () => {
    await expect(load('empty.csv', '')).rejects.toThrow(/DATA_UNREADABLE|DATA_EMPTY/)
  })
})
