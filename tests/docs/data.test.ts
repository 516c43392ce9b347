import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERROR_CATALOGUE } from '../../packages/core/src/errors.ts'
import {
  inspectData,
  type ReadOptions,
  readSiteRecords,
  type SiteRecord,
} from '../../packages/engine/src/datasets/index.ts'

/* docs/reference/data.md, held against the reader: its examples are data sets. */
const page = readFileSync(new URL('../../docs/reference/data.md', import.meta.url), 'utf8')

/** The examples of the page by their language and mark, such as "csv pair". */
const examples = new Map([...page.matchAll(/```(\w+(?: \w+)?)\n(.*?)```/gs)].map(([, mark, text]) => [mark!, text!]))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-docs-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function read(mark: string, options: ReadOptions = {}): Promise<SiteRecord[]> {
  const file = join(folder, `example.${mark.split(' ')[0]}`)
  writeFileSync(file, examples.get(mark)!)
  const records: SiteRecord[] = []
  for await (const record of readSiteRecords(file, options)) records.push(record)
  return records
}

describe('the page on data sets', () => {
  it.each<[string, ReadOptions, object[]]>([
    [
      'jsonl',
      {},
      [
        { text: 'Can we move the meeting to Friday?', label: 'ham' },
        { text: 'You have won a prize', label: 'spam' },
      ],
    ],
    [
      'csv',
      {},
      [
        { text: 'Can we move the meeting\nto Friday?', label: 'ham' },
        { text: 'You have won a prize', label: 'spam' },
      ],
    ],
    [
      'csv pair',
      { pairColumn: 'second' },
      [{ text: 'Where is the library?', pair: 'The library is next to the park.', label: 'answers' }],
    ],
    [
      'jsonl tags',
      { task: 'token-classification' },
      [
        {
          task: 'token-classification',
          words: ['Ada', 'lives', 'in', 'London'],
          tags: ['B-PER', 'O', 'O', 'B-LOC'],
        },
      ],
    ],
    [
      'jsonl instructions',
      { task: 'instruction-tuning' },
      [
        {
          task: 'instruction-tuning',
          prompt: 'Summarise: the patient slept well.',
          answer: 'No complaints.',
        },
      ],
    ],
  ])('has an example of %s that is read as it says', async (mark, options, expected) => {
    expect(await read(mark, options)).toEqual(expected)
  })

  it('shows what inspect says of its CSV example', async () => {
    await read('csv')
    const { records, columns, lengths, fingerprint } = await inspectData(join(folder, 'example.csv'), {}, folder)
    const { shortest, median, p90, p99, longest } = lengths!
    expect(page).toContain(`records   ${records}\ncolumns   ${columns.join(', ')}\n`)
    expect(page).toContain(`characters: ${shortest} to ${longest}, median ${median}, 90 % ${p90}, 99 % ${p99}\n`)
    expect(page).toContain(`data set  ${fingerprint}\n`)
  })

  it('names errors of the catalogue only', () => {
    const codes = [...page.matchAll(/`([A-Z]+_[A-Z]+)`/g)].map(([, code]) => code!)
    expect(codes.length).toBeGreaterThan(4)
    for (const code of codes) expect(ERROR_CATALOGUE).toHaveProperty(code)
  })
})
