import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintRecords } from './fingerprint/fingerprint.ts'
import { inspectData } from './inspect.ts'
import type { ReadOptions } from './readers/row.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-inspect-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function inspect(name: string, content: string | Uint8Array, options: ReadOptions = {}) {
  const file = join(folder, name)
  writeFileSync(file, content)
  return inspectData(file, options, folder)
}

describe('inspectData', () => {
  it('counts records, labels and lengths, and names the data set', async () => {
    const records = Array.from({ length: 100 }, (_, i) => ({
      text: 'x'.repeat(i + 1),
      label: i % 4 === 0 ? 'spam' : 'ham',
    }))
    const summary = await inspect('fine.jsonl', records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    expect(summary).toEqual({
      path: join(folder, 'fine.jsonl'),
      files: 1,
      rows: 100,
      task: 'sequence-classification',
      records: 100,
      columns: ['text', 'label'],
      labels: [
        { label: 'ham', count: 75 },
        { label: 'spam', count: 25 },
      ],
      lengths: { shortest: 1, median: 50, p90: 90, p99: 99, longest: 100 },
      lengthUnit: 'characters',
      fingerprint: fingerprintRecords(records),
      respelled: 0,
      problems: { count: 0, first: undefined, reasons: [] },
      stopped: false,
    })
  })

  it('counts every row that is no record, names the first and reads on', async () => {
    const rows = 'text,label\none,ham\n,ham\ntwo,\nthree,spam\n'
    const { problems, records, fingerprint, stopped } = await inspect('holes.csv', rows)
    expect({ count: problems.count, records, fingerprint, stopped }).toEqual({
      count: 2,
      records: 2,
      fingerprint: undefined,
      stopped: false,
    })
    expect(problems.first?.message).toMatch(/holes\.csv:3, got an empty text/)
  })

  it('counts a label that the run does not have as a problem', async () => {
    const { problems } = await inspect('labels.csv', 'text,label\none,ham\ntwo,eggs\n', { labels: ['ham', 'spam'] })
    expect(problems).toMatchObject({ count: 1, first: { code: 'LABEL_UNKNOWN' } })
  })

  it('says what columns there are when the right ones are missing', async () => {
    const { problems, stopped, records } = await inspect('other.csv', 'body,class\none,ham\n')
    expect({ stopped, records }).toEqual({ stopped: true, records: 0 })
    expect(problems.first?.message).toMatch(/got no "text", "label" among "body", "class"/)
  })

  it('keeps what it counted before the file breaks off', async () => {
    const { problems, stopped, records } = await inspect('broken.jsonl', '{"text":"one","label":"a"}\n{"text"')
    expect({ stopped, records, count: problems.count }).toEqual({ stopped: false, records: 1, count: 1 })
    const noise = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at * 31) % 95))
    const whole = gzipSync(`{"text":"one","label":"a"}\n`.repeat(5000) + noise.toString('base64'))
    const cut = await inspect('cut.jsonl.gz', whole.subarray(0, -100))
    expect(cut).toMatchObject({ stopped: true, records: 5000 })
    expect((await inspect('empty.jsonl', '\n')).problems.first?.code).toBe('DATA_EMPTY')
  })

  it('reads on behind rows that are no text, as a client does', async () => {
    const { problems, stopped, records } = await inspect('nul.csv', 'text,label\na\0,ham\none,ham\n')
    expect({ stopped, records, count: problems.count }).toEqual({ stopped: false, records: 1, count: 1 })
    expect(problems.first?.message).toMatch(/without NUL bytes at .*nul\.csv:2/)
  })

  it('counts tags and words where words are tagged', async () => {
    const rows = '{"words":["Ada","slept"],"tags":["PER","O"]}\n{"words":["yes"],"tags":["O"]}\n'
    expect(await inspect('tags.jsonl', rows, { task: 'token-classification' })).toMatchObject({
      labels: [
        { label: 'O', count: 2 },
        { label: 'PER', count: 1 },
      ],
      lengths: { shortest: 1, longest: 2 },
      lengthUnit: 'words',
    })
  })
})
