import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fingerprintRecords } from '../fingerprint/fingerprint.ts'
import { inspectData } from '../inspect.ts'
import { LeftOutCount } from './left-out.ts'
import { loadRecords, readableRecords } from './read-records.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-files-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const here = (name: string): string => join(folder, name)
const write = (name: string, content: string | Uint8Array): string => {
  mkdirSync(dirname(here(name)), { recursive: true })
  writeFileSync(here(name), content)
  return here(name)
}
const csv = (...texts: string[]): string => `text,label\n${texts.map((text) => `${text},ham\n`).join('')}`
const jsonl = (...texts: string[]): string =>
  texts.map((text) => `${JSON.stringify({ text, label: 'ham' })}\n`).join('')
const texts = async (paths: string | readonly string[]): Promise<string[]> =>
  (await loadRecords(paths)).map(({ text }) => text)

describe('a data set in several files', () => {
  it('is read in the order of the paths, and has one fingerprint in any order, format and number of files', async () => {
    const [one, two] = [write('train-1.csv', csv('a', 'b')), write('train-2.csv', csv('c'))]
    expect(await texts([two, one])).toEqual(['c', 'a', 'b'])
    const all = await loadRecords(write('all.jsonl', jsonl('b', 'c', 'a')))
    expect(fingerprintRecords(await loadRecords([one, two]))).toBe(fingerprintRecords(all))
    // several formats where each file is named
    expect(await texts([one, write('rest.jsonl', jsonl('d'))])).toEqual(['a', 'b', 'd'])
  })

  it('by a pattern, in the order of names; a file of that very name comes first', async () => {
    write('train-10.csv.gz', gzipSync(csv('c')))
    write('train-02.csv', csv('b'))
    write('train-01.csv', csv('a'))
    write('test-01.csv', csv('z'))
    expect(await texts(here('train-*.csv*'))).toEqual(['a', 'b', 'c'])
    expect(await texts(here('train-{01,02}.csv'))).toEqual(['a', 'b'])
    write('train-[1].csv', csv('brackets'))
    expect(await texts(here('train-[1].csv'))).toEqual(['brackets'])
    await expect(texts(here('none-*.csv'))).rejects.toThrow(
      /DATA_UNREADABLE: expected files that .*none-\*\.csv matches, got none/,
    )
  })

  it('is refused where a file is a copy of another one, unless they have no rows', async () => {
    write('set/a.csv', csv('a', 'b'))
    write('set/b.csv', csv('c', 'd')) // of the same size
    expect(await texts(here('set'))).toEqual(['a', 'b', 'c', 'd'])
    write('set/empty-1.csv', csv())
    write('set/empty-2.csv', csv())
    expect(await texts(here('set/*.csv'))).toEqual(['a', 'b', 'c', 'd'])
    write('set/copy of a.csv', csv('a', 'b'))
    const message =
      /every file of a data set once, got .*a.csv, which has the same bytes as .*a.csv. Its records would count twice/
    await expect(texts(here('set'))).rejects.toThrow(message)
    await expect(texts([here('set/a.csv'), here('set/copy of a.csv')])).rejects.toThrow(
      /copy of a.csv, which has the same/,
    )
    const { problems, stopped } = await inspectData(here('set'), {}, folder)
    expect([stopped, problems.first?.message]).toEqual([true, expect.stringMatching(message)])
  })

  it('in a folder, beside what writers of shards leave there', async () => {
    write('set/part-0.ndjson', jsonl('a'))
    write('set/part-1.jsonl', jsonl('b'))
    write('set/_SUCCESS', '')
    write('set/.part-0.crc', 'x')
    expect(await texts(here('set'))).toEqual(['a', 'b'])
    write('set/README.md', '# x')
    await expect(texts(here('set'))).rejects.toThrow(/expected data files only in .*set, got README\.md/)
  })

  it('reads the next file where one breaks off, and refuses one without the columns, whichever it is', async () => {
    const noise = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at * 31) % 95)).toString('base64')
    const whole = gzipSync(`${jsonl('a', 'b')}${noise}`)
    const cut = write('cut.jsonl.gz', whole.subarray(0, -100))
    const leftOut = new LeftOutCount()
    const read: string[] = []
    for await (const record of readableRecords([cut, write('next.jsonl', jsonl('c'))], {}, (fault) =>
      leftOut.add(fault),
    ))
      read.push((record as { text: string }).text)
    expect(read).toEqual(['a', 'b', 'c'])
    expect(leftOut.first?.message).toMatch(/a gzip file that breaks off/)
    const other = write('other.csv', 'body,label\nx,ham\n')
    const all = async (): Promise<void> => {
      for await (const _ of readableRecords([here('next.jsonl'), other], {}, () => {}));
    }
    await expect(all()).rejects.toThrow(/DATA_UNREADABLE.*"text" and "label" at .*other\.csv:1/)
  })
})

describe('files that would count a record twice are refused', () => {
  it.each<[string, () => string | readonly string[], RegExp]>([
    [
      'one path twice',
      () => [write('a.csv', csv('a')), here('a.csv')],
      /every file of a data set once, got .*a\.csv twice/,
    ],
    ['a file by a path and by a pattern', () => [write('a.csv', csv('a')), here('*.csv')], /a\.csv twice/],
    [
      'a symbolic link',
      () => {
        symlinkSync(write('a.csv', csv('a')), here('b.csv'))
        return [here('a.csv'), here('b.csv')]
      },
      /got .*b\.csv, which is .*a\.csv/,
    ],
    [
      'a hard link, in a folder',
      () => {
        linkSync(write('set/a.csv', csv('a')), here('set/b.csv'))
        return here('set')
      },
      /got .*b\.csv, which is .*a\.csv/,
    ],
    [
      'two formats in a folder',
      () => {
        write('set/a.csv', csv('a'))
        write('set/a.jsonl', jsonl('a'))
        return here('set')
      },
      /files of one format together, got .*a\.csv and .*a\.jsonl/,
    ],
    [
      'a file beside itself compressed',
      () => {
        write('a.csv', csv('a'))
        write('a.csv.gz', gzipSync(csv('a')))
        return here('a.*')
      },
      /either compressed or not, got .*a\.csv\.gz beside .*a\.csv/,
    ],
  ])('%s', async (_, paths, message) => {
    await expect(texts(paths())).rejects.toThrow(message)
  })
})

describe('what is no data file', () => {
  it.skipIf(process.platform === 'win32')(
    'a pipe or a device, which cannot be read twice, is refused before it is opened',
    async () => {
      execFileSync('mkfifo', [here('pipe.csv')])
      await expect(texts(here('pipe.csv'))).rejects.toThrow(
        /a file or a folder, .*got .*pipe\.csv, which is a pipe, a socket/,
      )
      await expect(texts('/dev/null')).rejects.toThrow(/which is a pipe, a socket or a device/)
    },
  )

  it.each<[string, () => string, RegExp]>([
    ['nothing', () => here('none.csv'), /got nothing there \(ENOENT\)/],
    ['a path through a file', () => join(write('a.csv', ''), 'b.csv'), /a file where a folder should be \(ENOTDIR\)/],
    [
      'links in a circle',
      () => {
        symlinkSync(here('b.csv'), here('a.csv'))
        symlinkSync(here('a.csv'), here('b.csv'))
        return here('a.csv')
      },
      /symbolic links in a circle/,
    ],
    ['a name that is too long', () => here(`${'x'.repeat(300)}.csv`), /a name that is too long/],
    ['no gzip', () => write('a.csv.gz', csv('a')), /a file that is no gzip/],
    [
      'an empty file',
      () => write('a.jsonl', ''),
      /DATA_EMPTY: expected at least one record in .*a\.jsonl, got 0 records/,
    ],
    ['a byte order mark alone', () => write('a.jsonl', '\ufeff'), /DATA_EMPTY/],
    ['a compressed Parquet file', () => write('a.parquet.gz', gzipSync('PAR1')), /a data file ending in/],
  ])('%s is refused by name', async (_, path, message) => {
    await expect(texts(path())).rejects.toThrow(message)
  })
})

it('every reader ends with counts: what was read, kept and left out, and why', async () => {
  const one = write('1.csv', 'text,label\na,ham\n,ham\n,spam\nb,\nc,1\nd,1.0\n')
  const two = write('2.jsonl', `${jsonl('e')}{\n{"text":"f","text":"g","label":"x"}\n`)
  const { files, rows, records, respelled, problems } = await inspectData([one, two], {}, folder)
  expect({ files, rows, records, respelled }).toEqual({ files: 2, rows: 9, records: 4, respelled: 1 })
  expect(problems).toMatchObject({
    count: 5,
    reasons: [
      { reason: 'a text that is not blank in "text"', count: 2 },
      { reason: 'a label in "label"', count: 1 },
      { reason: 'one JSON object', count: 1 },
      { reason: 'every member of the object once', count: 1 },
    ],
  })
  expect(JSON.stringify(problems.reasons)).not.toContain(folder)
})
