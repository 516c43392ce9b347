import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { isFedsvdError } from '@fedsvd/core/errors'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LONGEST_LINE } from './lines.ts'
import { loadRecords, readableRecords, readRecords, readSiteRecords } from './read-records.ts'
import type { ReadOptions } from './row.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-data-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function load(name: string, content: string | Buffer, options?: ReadOptions) {
  const file = join(folder, name)
  await writeFile(file, content)
  return loadRecords(file, options)
}

async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await promise.then(
    () => expect.unreachable('it was accepted'),
    (reason: unknown) => reason,
  )
  if (!isFedsvdError(error)) throw error
  return { code: error.code, message: error.message }
}

describe('JSONL', () => {
  test('reads objects line by line: CR LF, blank lines, a byte order mark, no line end at the end', async () => {
    const lines = '\ufeff{"text":"one","label":"a"}\r\n\r\n{"text":"two","label":1,"source":"x","more":[]}'
    expect(await load('plain.jsonl', lines)).toEqual([
      { text: 'one', label: 'a' },
      { text: 'two', label: '1', source: 'x' },
    ])
  })

  test('does not cut a line at the separators that JSON allows inside a string', async () => {
    const text = 'first\u2028second\u2029third\u0085fourth'
    expect(await load('separators.jsonl', JSON.stringify({ text, label: 'a' }))).toEqual([{ text, label: 'a' }])
  })

  test('puts together lines and characters that fall across the chunks of the stream', async () => {
    const written = Array.from({ length: 300 }, (_, i) => ({ text: `${i} ${'é漢👋'.repeat(i)}`, label: 'a' }))
    expect(await load('long.ndjson', written.map((r) => JSON.stringify(r)).join('\n'))).toEqual(written)
  })

  test.each([
    ['not JSON', '{"text":"secret', 'one JSON object', 'text that is not JSON'],
    ['a list', '["secret"]', 'an object with "text" and "label"', 'a list'],
    ['null', 'null', 'an object with "text" and "label"', 'null'],
    ['no text', '{"label":"a","body":"secret"}', 'a text that is not blank in "text"', 'nothing'],
    ['a blank text', '{"text":" \\n","label":"a"}', 'a text that is not blank in "text"', 'only white space'],
    ['a text that is a number', '{"text":5,"label":"a"}', 'a text that is not blank in "text"', 'a number'],
    ['no label', '{"text":"secret"}', 'a label in "label"', 'nothing'],
    ['an empty label', '{"text":"secret","label":""}', 'a label in "label"', 'an empty text'],
    ['a label that is an object', '{"text":"secret","label":{}}', 'a label in "label"', 'an object'],
  ])('refuses %s with file and line, and does not quote the row', async (_, bad, expected, got) => {
    const { code, message } = await refusal(load('bad.jsonl', `{"text":"fine","label":"a"}\n\n${bad}\n`))
    expect(code).toBe('DATA_UNREADABLE')
    expect(message).toContain(`expected ${expected} at ${join(folder, 'bad.jsonl')}:3, got ${got}. Correct or remove`)
    expect(message).not.toContain('secret')
  })

  test('refuses bytes that are not UTF-8, naming the line', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"text":"x","label":"a"}\n{"text":"'),
      Buffer.of(0xe9),
      Buffer.from('"}\n'),
    ])
    expect((await refusal(load('latin1.jsonl', bytes))).message).toMatch(
      /expected UTF-8 text at .*:2, got other bytes from byte 10 of that/,
    )
  })

  test('refuses a line without end before it fills the memory', async () => {
    const { message } = await refusal(load('endless.jsonl', Buffer.alloc(LONGEST_LINE + 200_000, 0x20)))
    expect(message).toMatch(/a line of at most 16777216 bytes at .*:1, got a longer one/)
  })

  test('gives the good records before a bad row to whoever streams', async () => {
    const file = join(folder, 'half.jsonl')
    await writeFile(file, '{"text":"one","label":"a"}\n{}\n')
    const seen: string[] = []
    const reading = (async () => {
      for await (const { text } of readRecords(file)) seen.push(text)
    })()
    expect((await refusal(reading)).code).toBe('DATA_UNREADABLE')
    expect(seen).toEqual(['one'])
  })
})

describe('CSV', () => {
  test('reads quoted fields with line breaks, quotes and commas; columns in any order; a byte order mark', async () => {
    const rows = '\ufefflabel,id,text\r\nham,1,"a, ""b""\nc"\r\n\r\nspam,2,d\r\n'
    expect(await load('rows.csv', rows)).toEqual([
      { text: 'a, "b"\nc', label: 'ham' },
      { text: 'd', label: 'spam' },
    ])
  })

  test('reads tab-separated rows, with columns of other names', async () => {
    const options = { textColumn: 'body', labelColumn: 'class', sourceColumn: 'list' }
    expect(await load('rows.tsv', 'list\tclass\tbody\nx\tham\tone, two\n', options)).toEqual([
      { text: 'one, two', label: 'ham', source: 'x' },
    ])
  })

  test.each([
    ['a missing column', 'text,class\nsecret,ham\n', /the columns "text" and "label" at .*:1, got no "label"/],
    [
      'a row with too many fields',
      'text,label\none,ham\nsecret,ham,more\n',
      /as many fields as the first row has, at .*:3, got a row with more or fewer/,
    ],
    [
      'a stray quote',
      'text,label\none,ham\nsec"ret,ham\n',
      /well-formed CSV at .*:3, got a quote in the middle of a field. .*--quoting none/,
    ],
    [
      'a quote that never closes',
      'text,label\n"secret,ham\n',
      /well-formed CSV at .*:2, got a quote that is never closed/,
    ],
    [
      'a row with too few fields',
      'text,label\none,ham\nsecret\n',
      /as many fields as the first row has, at .*:3, got a row with more or fewer/,
    ],
    ['a column that stands there twice', 'text,label,text\na,b,secret\n', /different names at .*:1, got "text" twice/],
    [
      'a row without bounds',
      `text,label\none,ham\n"${'x'.repeat(LONGEST_LINE + 9)}",ham\n`,
      /a row of at most 16777216 bytes at/,
    ],
    ['an empty text', 'text,label\none,ham\n,ham\n', /a text that is not blank in "text" at .*:3, got an empty text/],
  ])('refuses %s and does not quote the row', async (_, content, expected) => {
    const { code, message } = await refusal(load('bad.csv', content))
    expect(code).toBe('DATA_UNREADABLE')
    expect(message).toMatch(expected)
    expect(message).not.toContain('secret')
  })
})

describe('bytes that are not UTF-8 in a CSV file', () => {
  const bad = (...bytes: number[]) =>
    load('latin1.csv', Buffer.concat([Buffer.from('text,label\none,ham\n'), Buffer.from(bytes)]))

  test.each([
    ['Latin-1', [0x61, 0xe9, 0x2c, 0x62, 0x0a], 2],
    ['a surrogate', [0xed, 0xa0, 0x80, 0x2c, 0x62, 0x0a], 1],
    ['an overlong slash', [0x61, 0x62, 0xc0, 0xaf, 0x2c, 0x62, 0x0a], 3],
    ['a character that the end of the file cuts off', [0x61, 0x2c, 0xe6, 0xbc], 3],
    ['UTF-16', [0xff, 0xfe, 0x61, 0x00, 0x0a, 0x00], 1],
  ])('%s is refused with line and byte, and never replaced', async (_, bytes, at) => {
    const { message } = await refusal(bad(...bytes))
    expect(message).toMatch(new RegExp(`UTF-8 text at .*latin1.csv:3, got other bytes from byte ${at} of that line`))
  })

  test('characters of every length may fall across the chunks of the stream', async () => {
    const records = Array.from({ length: 4000 }, (_, i) => ({ text: 'é漢👋𐍈'.repeat(1 + (i % 13)), label: 'a' }))
    const content = `text,label\n${records.map(({ text }) => `${text},a`).join('\n')}\n`
    expect(await load('wide.csv', content)).toEqual(records)
  })
})

describe('any file', () => {
  test('a label outside the set is refused with its place, unquoted', async () => {
    const content = '{"text":"a","label":"ham"}\n{"text":"b","label":"eggs"}\n'
    const { code, message } = await refusal(load('labels.jsonl', content, { labels: ['ham', 'spam'] }))
    expect(code).toBe('LABEL_UNKNOWN')
    expect(message).toMatch(/one of the labels "ham", "spam", got another label at .*labels.jsonl:2/)
    expect(message).not.toContain('eggs')
  })

  test('a file without records, without access or of another kind is refused', async () => {
    expect((await refusal(load('empty.jsonl', '\n\n'))).code).toBe('DATA_EMPTY')
    expect((await refusal(load('header-only.csv', 'text,label\n'))).code).toBe('DATA_EMPTY')
    const missing = await refusal(loadRecords(join(folder, 'missing.csv')))
    expect(missing.message).toMatch(
      /DATA_UNREADABLE: expected a readable file .*missing.csv, got nothing there \(ENOENT\)/,
    )
    expect((await refusal(loadRecords(join(folder, 'missing.jsonl')))).message).toMatch(/got nothing there \(ENOENT\)/)
    expect((await refusal(load('data.xml', '<x/>'))).message).toMatch(/ending in .jsonl, .ndjson, .csv, .tsv/)
    expect((await refusal(load('data.xml.gz', '<x/>'))).message).toMatch(/ending in .jsonl, .ndjson, .csv, .tsv/)
  })

  test.each([
    ['rows.jsonl.gz', '{"text":"one","label":"a"}\n'],
    ['rows.csv.gz', 'text,label\none,a\n'],
    ['rows.tsv.gz', 'text\tlabel\none\ta\n'],
  ])('%s is read through gzip', async (name, content) => {
    expect(await load(name, gzipSync(content))).toEqual([{ text: 'one', label: 'a' }])
  })

  test('gzip that is cut off or none is refused', async () => {
    const whole = gzipSync('{"text":"one","label":"a"}\n'.repeat(1000))
    for (const bytes of [whole.subarray(0, 40), Buffer.from('{"text":"one","label":"a"}\n')]) {
      const { code, message } = await refusal(load('broken.jsonl.gz', bytes))
      expect({ code, message }).toEqual({
        code: 'DATA_UNREADABLE',
        message: expect.stringMatching(/broken.jsonl.gz, got a .*gzip.* \(Z_/),
      })
    }
  })
})

describe('records of every task', () => {
  const first = async (name: string, content: string, options?: ReadOptions) => {
    const file = join(folder, name)
    await writeFile(file, content)
    return (await readSiteRecords(file, options).next()).value
  }

  test('a pair of texts, once its column is named', async () => {
    const content = 'text,text2,label\none,two,same\n'
    expect(await first('pair.csv', content, { pairColumn: 'text2' })).toEqual({
      text: 'one',
      pair: 'two',
      label: 'same',
    })
    expect(await first('pair.csv', content)).toEqual({ text: 'one', label: 'same' })
    const blank = first('pair.csv', 'text,text2,label\none,,same\n', { pairColumn: 'text2' })
    expect((await refusal(blank)).message).toMatch(/a text that is not blank in "text2" at .*:2/)
  })

  test('words and tags, as lists or between spaces', async () => {
    const expected = { task: 'token-classification', words: ['Ada', 'slept'], tags: ['B-PER', 'O'] }
    const columns = { wordsColumn: 'tokens' }
    expect(await first('tags.csv', 'tokens,tags\nAda  slept,B-PER O\n', columns)).toEqual(expected)
    expect(await first('tags.jsonl', '{"tokens":["Ada","slept"],"tags":["B-PER","O"]}', columns)).toEqual(expected)
    const uneven = first('tags.jsonl', '{"tokens":["Ada","slept"],"tags":["O"]}', columns)
    expect((await refusal(uneven)).message).toMatch(/as many tags in "tags" as words in "tokens" at .*:1, got 1 for 2/)
    const hole = first('tags.jsonl', '{"tokens":["Ada",null],"tags":["O","O"]}', columns)
    expect((await refusal(hole)).message).toMatch(/words, none of them empty, in "tokens" at .*:1, got an empty one/)
    const other = first('tags.csv', 'words,tags\nAda,X\n', { task: 'token-classification', labels: ['O'] })
    expect((await refusal(other)).code).toBe('LABEL_UNKNOWN')
  })

  test('passages, and prompts with answers', async () => {
    expect(await first('p.jsonl', '{"text":"one"}', { task: 'causal-lm' })).toEqual({ task: 'causal-lm', text: 'one' })
    expect(await first('q.csv', 'question,answer\nWhy?,Because.\n', { promptColumn: 'question' })).toEqual({
      task: 'instruction-tuning',
      prompt: 'Why?',
      answer: 'Because.',
    })
  })

  test('columns of two tasks at once are refused', async () => {
    const mixed = first('q.csv', '', { promptColumn: 'question', labelColumn: 'class' })
    expect((await refusal(mixed)).message).toMatch(
      /^CONFIG_INVALID: expected columns for instruction-tuning.*got --label-column/,
    )
  })
})

describe('the column of the unit', () => {
  const options = { unitColumn: 'patient_id' }
  const expected = [
    { text: 'one', label: 'a', unit: 'p1' },
    { text: 'two', label: 'a', unit: 'p1' },
    { text: 'three', label: 'b', unit: '7' },
    { text: 'four', label: 'b' },
  ]

  test('is one text for one person whatever the format, and absent where it is blank', async () => {
    const rows = [
      { text: 'one', label: 'a', patient_id: 'p1' },
      { text: 'two', label: 'a', patient_id: ' p1 ' },
      { text: 'three', label: 'b', patient_id: 7 },
      { text: 'four', label: 'b', patient_id: null },
    ]
    expect(await load('units.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'), options)).toEqual(expected)
    const csv = 'patient_id,text,label\np1,one,a\n p1 ,two,a\n7,three,b\n ,four,b\n'
    expect(await load('units.csv', csv, options)).toEqual(expected)
    expect(await load('unit-less.jsonl', '{"text":"one","label":"a"}', options)).toEqual([{ text: 'one', label: 'a' }])
  })

  test('is not read where it is not named, and must be there where it is', async () => {
    expect(await load('not-named.csv', 'patient_id,text,label\np1,one,a\n')).toEqual([{ text: 'one', label: 'a' }])
    expect(await refusal(load('missing.csv', 'text,label\none,a\n', options))).toMatchObject({
      code: 'DATA_UNREADABLE',
      message: expect.stringContaining('"patient_id"'),
    })
  })
})

describe('a reader that no row stops', () => {
  const long = 'x'.repeat(LONGEST_LINE)
  const latin1 = (text: string) => Buffer.from(text, 'latin1')

  async function readable(name: string, content: string | Buffer, options: ReadOptions = {}) {
    const file = join(folder, name)
    await writeFile(file, content)
    const faults: string[] = []
    const texts: string[] = []
    for await (const record of readableRecords(file, options, ({ message }) => faults.push(message)))
      if ('text' in record) texts.push(record.text)
    return { texts, faults }
  }
  const one = '{"text":"one","label":"a"}'
  const two = '{"text":"two","label":"b"}'

  test.each<[string, string, string | Buffer, RegExp]>([
    ['a blank text', 'r.jsonl', `${one}\n{"text":" ","label":"a"}\n${two}`, /:2, got only white space/],
    ['a line that is not JSON', 'r.jsonl', `${one}\n{"text":\n${two}`, /:2, got text that is not JSON/],
    ['a line that is not UTF-8', 'r.jsonl', latin1(`${one}\n{"text":"M\xfcller","label":"a"}\n${two}`), /:2.*byte 11/],
    ['a line without bounds', 'r.jsonl', `${one}\n{"text":"${long}","label":"a"}\n${two}`, /:2, got a longer one/],
    ['a row without bounds', 'r.csv', `text,label\none,a\n${long},b\ntwo,b\n`, /:3, got a longer row/],
    ['several stray quotes', 'r.csv', 'text,label\none,a\nx"y" "z",b\ntwo,b\n', /:3, got a quote in the middle/],
    ['a field too many', 'r.csv', 'text,label\none,a\nx,b,c\ntwo,b\n', /:3, got a row with more or fewer fields/],
    ['a stray quote', 'r.csv', 'text,label\none,a\nx"y,b\ntwo,b\n', /:3, got a quote in the middle of a field/],
    [
      'a row that is not UTF-8',
      'r.csv',
      latin1('text,label\none,a\nM\xfcller,\xe9\ntwo,b\n'),
      /:3, got other bytes from byte 2/,
    ],
    ['a NUL byte', 'r.csv', 'text,label\none,a\nx\0,b\ntwo,b\n', /:3, got one/],
    ['a member that stands there twice', 'r.jsonl', `${one}\n{"text":"x","label":"a","label":"b"}\n${two}`, /:2/],
    ['a quote that does not end', 'r.csv', 'text,label\none,a\ntwo,b\n"x,b\n', /got a quote that is never closed/],
  ])('passes over %s, once', async (_, name, content, fault) => {
    const { texts, faults } = await readable(name, content)
    expect(texts).toEqual(['one', 'two'])
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(fault)
  })

  test('keeps a replacement character and a NUL that JSON spells, whatever other rows hold', async () => {
    const rows = ['{"text":"one \ufffd","label":"a"}', '{"text":"two \\u0000","label":"a"}']
    const bytes = Buffer.concat([latin1('{"text":"M\xfcller","label":"a"}\n'), Buffer.from(rows.join('\n'))])
    const { texts, faults } = await readable('r.jsonl', bytes)
    expect(texts).toEqual(['one \ufffd', 'two \0'])
    expect(faults).toEqual([expect.stringMatching(/UTF-8 text at .*:1, got other bytes from byte 11/)])
  })

  test('tells of each row with other bytes or NULs by its own line, also behind one with another fault', async () => {
    const content = latin1('text,label\n\0\0,a\nb\0,a\n\xe9,a,b\none,\xe9\ntwo,a\n')
    const { texts, faults } = await readable('r.csv', content)
    expect(texts).toEqual(['two'])
    expect(faults).toEqual([
      expect.stringMatching(/without NUL bytes at .*:2, got one/),
      expect.stringMatching(/without NUL bytes at .*:3, got one/),
      expect.stringMatching(/:4, got a row with more or fewer fields/),
      expect.stringMatching(/UTF-8 text at .*:5, got other bytes from byte 5/),
    ])
  })

  test('passes over rows that the encoding named does not have', async () => {
    const bytes = Buffer.concat([
      Buffer.from('text,label\none,a\n'),
      Buffer.of(0xff, 0x2c, 0x61, 0x0a),
      Buffer.from('two,a\n'),
    ])
    const { texts, faults } = await readable('r.csv', bytes, { encoding: 'shift_jis' })
    expect(texts).toEqual(['one', 'two'])
    expect(faults).toEqual([expect.stringMatching(/text in shift_jis at .*:3 or soon behind it/)])
  })

  test('takes what stands before the place where a file breaks off', async () => {
    const noise = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at * 31) % 95)).toString('base64')
    const whole = gzipSync(`${`${one}\n`.repeat(3)}${noise}`)
    expect((await readable('cut.jsonl.gz', whole.subarray(0, -100))).texts).toHaveLength(3)
  })

  test('refuses a file that it cannot open, of another kind, or without a column', async () => {
    await expect(readable('r.doc', '')).rejects.toThrow(/DATA_UNREADABLE.*a data file ending/)
    await expect(readable('r.csv', 'body,label\none,a\n')).rejects.toThrow(/no "text" among/)
    const none = readableRecords(join(folder, 'none.jsonl'), {}, () => {})
    await expect(none.next()).rejects.toThrow(/DATA_UNREADABLE.*ENOENT/)
  })
})
