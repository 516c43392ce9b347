import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { isFedsvdError } from '@fedsvd/core/errors'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintRecords } from '../fingerprint/fingerprint.ts'
import type { SiteRecord } from '../text-record.ts'
import { loadRecords, readSiteRecords } from './read-records.ts'

/* The files are DuckDB's (scripts/parquet_vectors.sql), so that reader and writer share no code. */
const vector = (name: string): string => fileURLToPath(new URL(`vectors/${name}.parquet`, import.meta.url))

/** What the script put into every file of letters. */
const letter = (i: number) => ({
  text: `text number ${i} é漢👋 "q", x`,
  label: i % 3 === 0 ? 'ham' : 'spam',
  source: `list ${i % 2}`,
})

async function all(rows: AsyncIterable<SiteRecord>): Promise<SiteRecord[]> {
  const records: SiteRecord[] = []
  for await (const record of rows) records.push(record)
  return records
}

describe('Parquet', () => {
  it.each(['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw'])('compressed by %s', async (codec) => {
    expect(await loadRecords(vector(`letters-${codec}`))).toEqual(Array.from({ length: 40 }, (_, i) => letter(i)))
  })

  it('row group after row group, in order', async () => {
    expect(await loadRecords(vector('row-groups'))).toEqual(Array.from({ length: 5000 }, (_, i) => letter(i)))
  })

  it('is the same data set as the same records in another format', async () => {
    const parquet = await loadRecords(vector('letters-zstd'))
    expect(fingerprintRecords(parquet)).toBe(fingerprintRecords(Array.from({ length: 40 }, (_, i) => letter(i))))
  })

  it('lists of words and their tags', async () => {
    expect(await all(readSiteRecords(vector('words'), { task: 'token-classification' }))).toEqual([
      { task: 'token-classification', words: ['one', 'two'], tags: ['A', 'B'] },
      { task: 'token-classification', words: ['three'], tags: ['C'] },
    ])
  })

  it('the column of the unit, which has to be there', async () => {
    const units = readSiteRecords(vector('letters-snappy'), { unitColumn: 'source' })
    expect((await units.next()).value).toEqual({ ...letter(0), unit: 'list 0' })
    await expect(all(readSiteRecords(vector('letters-snappy'), { unitColumn: 'patient' }))).rejects.toThrow('"patient"')
  })

  it('other columns by name, numbers as labels', async () => {
    const renamed = readSiteRecords(vector('letters-snappy'), { textColumn: 'other', labelColumn: 'source' })
    expect((await renamed.next()).value).toEqual({ text: 'unused unused unused ', label: 'list 0', source: 'list 0' })
    const numbers = readSiteRecords(vector('hole'))
    expect((await numbers.next()).value).toEqual({ text: 'first', label: '1' })
  })
})

describe('a Parquet file that is refused', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fedsvd-parquet-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const refusal = async (file: string, options = {}) => {
    const error = await loadRecords(file, options).then(
      () => expect.unreachable('it was accepted'),
      (reason: unknown) => reason,
    )
    if (!isFedsvdError(error)) throw error
    return error.message
  }

  it('for a value that is missing, by the number of its row', async () => {
    expect(await refusal(vector('hole'))).toMatch(
      /^DATA_UNREADABLE: expected a text that is not blank in "text" at .*hole\.parquet, row 2, got null/,
    )
  })

  it('for text that is not UTF-8, by the number of its row', async () => {
    expect(await refusal(vector('latin1'))).toMatch(/expected UTF-8 text at .*latin1\.parquet, row 2, got other bytes/)
  })

  it('for a column that it does not have', async () => {
    expect(await refusal(vector('words'))).toMatch(
      /the columns "text" and "label" at .*words.parquet, got no "text", "label"/,
    )
  })

  it('for a label outside the set of the run', async () => {
    expect(await refusal(vector('letters-gzip'), { labels: ['ham', 'eggs'] })).toMatch(
      /^LABEL_UNKNOWN: .*got another label at .*letters-gzip\.parquet, row 2/,
    )
  })

  it('for a file that is encrypted', async () => {
    const encrypted = join(folder, 'encrypted.parquet')
    writeFileSync(encrypted, Buffer.concat([readFileSync(vector('row-groups')).subarray(0, -4), Buffer.from('PARE')]))
    expect(await refusal(encrypted)).toMatch(
      /a Parquet file that is not encrypted at .*, got an encrypted one. Write it/,
    )
  })

  /** One column encrypted with the key of the footer, which stays plain: field 8 of its chunk is an empty struct. */
  const withEncryptedColumn = (lastBytes: string, nextBytes: string): string => {
    const bytes = readFileSync(vector('letters-uncompressed'))
    const footerBytes = bytes.readUInt32LE(bytes.length - 8)
    const start = bytes.length - 8 - footerBytes
    const footer = bytes.subarray(start, bytes.length - 8).toString('hex')
    const [end, next] = [`${lastBytes}00`, `00${nextBytes}`]
    expect(footer.split(`${end}${next}`)).toHaveLength(2)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(footerBytes + 4)
    const changed = Buffer.from(footer.replace(`${end}${next}`, `${end}5c1c0000${next}`), 'hex')
    const file = join(folder, 'encrypted-column.parquet')
    writeFileSync(file, Buffer.concat([bytes.subarray(0, start), changed, length, Buffer.from('PAR1')]))
    return file
  }
  const TEXT = ['111100', '26001c150c1915041918056c6162656c'] as const
  const OTHER = ['11110026b81c155e', '16f41a'] as const

  it('for an encrypted column under a footer that is not, which it names', async () => {
    expect(await refusal(withEncryptedColumn(...TEXT))).toMatch(
      /expected columns that are not encrypted at .*, got the encrypted column "text"\. Write them without encryption/,
    )
  })

  it('but not for an encrypted column that nobody reads', async () => {
    expect(await loadRecords(withEncryptedColumn(...OTHER))).toHaveLength(40)
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.of(), /got an empty file/],
    ['a workbook', Buffer.from('PK\u0003\u0004\0\0'), /got a workbook or another zip archive/],
    ['gzip', gzipSync('text'), /got a gzip file/],
    ['Arrow', Buffer.from('ARROW1\0\0'), /got an Arrow or Feather file\. Write it as Parquet/],
    ['Feather of version 1', Buffer.from('FEA1'), /got a Feather file/],
    ['a web page', Buffer.from('<!DOCTYPE html><html>'), /got a web page/],
    [
      'a git-lfs pointer',
      Buffer.from('version https://git-lfs.github.com/spec/v1\n'),
      /got a git-lfs pointer.*git lfs pull/,
    ],
    ['ORC', Buffer.from('ORC'), /got an ORC file/],
  ])('for %s under its name, and says what it is', async (_, bytes, message) => {
    const file = join(folder, 'foreign.parquet')
    writeFileSync(file, bytes)
    expect(await refusal(file)).toMatch(message)
  })

  it('for bytes that are no Parquet, or cut off, or damaged inside', async () => {
    const noParquet = join(folder, 'text.parquet')
    writeFileSync(noParquet, 'text,label\nsecret,ham\n')
    const bytes = readFileSync(vector('row-groups'))
    const cut = join(folder, 'cut.parquet')
    writeFileSync(cut, bytes.subarray(0, bytes.length - 9))
    const damaged = join(folder, 'damaged.parquet')
    copyFileSync(vector('row-groups'), damaged)
    writeFileSync(damaged, Buffer.concat([bytes.subarray(0, 40), Buffer.alloc(900, 0xff), bytes.subarray(940)]))
    for (const file of [cut, damaged]) {
      expect(await refusal(file)).toMatch(/expected a sound Parquet file at .*, got one that cannot be decoded/)
    }
    const message = await refusal(noParquet)
    expect(message).toMatch(/expected a Parquet file at .*text.parquet, got a file that does not begin as one/)
    expect(message).not.toContain('secret')
  })
})
