import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isFedsvdError } from '@fedsvd/core/errors'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LONGEST_LINE } from './lines.ts'
import { loadRecords, readSiteRecords } from './read-records.ts'
import type { ReadOptions } from './row.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-folder-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
}

async function refusal(options: ReadOptions = {}): Promise<string> {
  const error = await loadRecords(folder, options).then(
    () => expect.unreachable('it was accepted'),
    (reason: unknown) => reason,
  )
  if (!isFedsvdError(error)) throw error
  return error.message
}

describe('the column of the unit', () => {
  it('stands in the file of labels, and cannot be named without one', async () => {
    write({ 'labels.csv': 'file,label,who\na.txt,ham,p1\n', 'a.txt': 'one' })
    expect(await loadRecords(folder, { unitColumn: 'who' })).toEqual([{ text: 'one', label: 'ham', unit: 'p1' }])
    expect(await refusal({ unitColumn: 'patient' })).toMatch('"patient"')
    rmSync(join(folder, 'labels.csv'))
    rmSync(join(folder, 'a.txt'))
    write({ 'ham/a.txt': 'one' })
    expect(await refusal({ unitColumn: 'who' })).toMatch('labels.csv with a column "who"')
  })
})

describe('a folder for each label', () => {
  it('gives one record a file, in the order of the names', async () => {
    write({
      'spam/b.txt': 'two',
      'spam/a.txt': '\ufeffone\r\n',
      'ham/z.txt': 'three',
      '.notes': 'x',
      'ham/.DS_Store': 'x',
    })
    expect(await loadRecords(folder)).toEqual([
      { text: 'three', label: 'ham' },
      { text: 'one\r\n', label: 'spam' },
      { text: 'two', label: 'spam' },
    ])
  })

  it('refuses what would be left out silently', async () => {
    write({ 'ham/a.txt': 'one', 'ham/b.pdf': 'two' })
    expect(await refusal()).toMatch(/expected text files, ending in \.txt, got .*b\.pdf/)
    rmSync(join(folder, 'ham/b.pdf'))
    write({ 'ham/deeper/c.txt': 'three' })
    expect(await refusal()).toMatch(/expected text files only, got .*deeper/)
    rmSync(join(folder, 'ham/deeper'), { recursive: true })
    write({ 'stray.txt': 'four' })
    expect(await refusal()).toMatch(
      /expected a folder for each label, or labels\.csv beside the texts, got .*stray\.txt/,
    )
  })

  it('refuses an empty text, other bytes and a text without bounds, each with its file', async () => {
    write({ 'ham/a.txt': 'one', 'ham/b.txt': ' \n' })
    expect(await refusal()).toMatch(/a text that is not blank in "text" at .*b\.txt, got only white space/)
    write({ 'ham/b.txt': Buffer.of(0x61, 0x62, 0xe9, 0x20) })
    expect(await refusal()).toMatch(/UTF-8 text at .*b\.txt:1, got other bytes from byte 3 of that line/)
    truncateSync(join(folder, 'ham/b.txt'), LONGEST_LINE + 1)
    expect(await refusal()).toMatch(/a text of at most 16777216 bytes at .*b\.txt/)
  })

  it('names a link that leads nowhere, or in a circle', async () => {
    write({ 'ham/a.txt': 'one' })
    for (const target of ['nowhere.txt', 'b.txt']) {
      symlinkSync(target, join(folder, 'ham/b.txt'))
      expect(await refusal()).toMatch(/expected a readable file .*b\.txt, got/)
      rmSync(join(folder, 'ham/b.txt'))
    }
  })

  it('refuses a label that the run does not have', async () => {
    write({ 'ham/a.txt': 'one', 'eggs/b.txt': 'two' })
    expect(await refusal({ labels: ['ham', 'spam'] })).toMatch(/LABEL_UNKNOWN: .*got another label at .*b\.txt/)
  })
})

describe('a file of labels', () => {
  it.each([
    ['labels.csv', 'file,label,source\nb.txt,spam,x\na.txt,ham,y\n'],
    ['labels.tsv', 'label\tfile\tsource\nspam\tb.txt\tx\nham\ta.txt\ty\n'],
    ['labels.jsonl', '{"file":"b.txt","label":"spam","source":"x"}\n{"file":"a.txt","label":"ham","source":"y"}\n'],
  ])('%s names the texts beside it', async (name, labels) => {
    write({ [name]: labels, 'a.txt': 'one', 'b.txt': 'two' })
    expect(await loadRecords(folder)).toEqual([
      { text: 'two', label: 'spam', source: 'x' },
      { text: 'one', label: 'ham', source: 'y' },
    ])
  })

  it('refuses a name that is not there, stands twice or leads out of the folder, with the line', async () => {
    write({ 'a.txt': 'one', 'b.txt': 'two' })
    for (const name of ['c.txt', 'a.txt', '../a.txt', 'labels.csv']) {
      write({ 'labels.csv': `file,label\na.txt,ham\n${name},ham\n` })
      expect(await refusal()).toMatch(/the name of a text file of this folder in "file" at .*labels\.csv:3/)
    }
  })

  it('refuses a text without a label', async () => {
    write({ 'labels.csv': 'file,label\na.txt,ham\n', 'a.txt': 'one', 'b.txt': 'two' })
    expect(await refusal()).toMatch(/a label for every file in labels\.csv, got .*b\.txt/)
  })
})

describe('texts without labels', () => {
  it('are the files of the folder', async () => {
    write({ 'b.txt': 'two', 'a.txt': 'one' })
    const records = []
    for await (const record of readSiteRecords(folder, { task: 'causal-lm' })) records.push(record)
    expect(records).toEqual([
      { task: 'causal-lm', text: 'one' },
      { task: 'causal-lm', text: 'two' },
    ])
  })
})
