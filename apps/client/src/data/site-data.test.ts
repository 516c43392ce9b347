import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { labelOf } from '../../test-kit/fake-engine.ts'
import { sampleManifest } from '../../test-kit/sample-run.ts'
import { letters } from '../../test-kit/site.ts'
import { temporaryFolder } from '../../test-kit/temporary-folder.ts'
import { loadSiteData, roundedDown, tokenise } from './index.ts'

const COLUMNS = { textColumn: 'text', labelColumn: 'label' }

describe('the data of a site', () => {
  it('are the same data set in another order or format, and have the same ledger', async () => {
    using folder = temporaryFolder()
    const jsonl = join(folder.path, 'a.jsonl')
    const csv = join(folder.path, 'b.csv')
    writeFileSync(jsonl, '{"text":"one","label":"ham"}\n{"text":"two","label":"spam"}\n')
    writeFileSync(csv, 'label,text\nspam,two\nham,one\n')
    const [first, second] = [await loadSiteData(jsonl, COLUMNS), await loadSiteData(csv, COLUMNS)]
    expect(first.fingerprint).toBe(second.fingerprint)
    expect(first.records).toHaveLength(2)
  })

  it('are refused with file and line when a row cannot be read', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'broken.jsonl')
    writeFileSync(file, '{"text":"one","label":"ham"}\n{"text":\n')
    await expect(loadSiteData(file, COLUMNS)).rejects.toThrow(/DATA_UNREADABLE.*broken\.jsonl.*2/)
  })

  it('are refused when there are none', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'empty.jsonl')
    writeFileSync(file, '')
    await expect(loadSiteData(file, COLUMNS)).rejects.toThrow('DATA_EMPTY')
  })

  it('take the labels and the length of the run', () => {
    const records = [
      { text: 'a long letter', label: 'spam' },
      { text: 'b', label: 'ham' },
    ]
    const data = { records, fingerprint: '' }
    const encoded = tokenise(data, letters, sampleManifest({ model: { name: 'none', maxTokens: 4 } }))
    expect(encoded.map((record) => [labelOf(record), record.tokenIds.length])).toEqual([
      [1, 4],
      [0, 1],
    ])
    expect(() => tokenise(data, letters, sampleManifest({ labels: ['ham', 'eggs'] }))).toThrow('LABEL_UNKNOWN')
  })
})

describe('roundedDown', () => {
  it.each([
    [1, 1],
    [9, 9],
    [10, 10],
    [99, 99],
    [100, 100],
    [109, 100],
    [119, 110],
    [1999, 1900],
    [22_571, 22_000],
    [1_000_000, 1_000_000],
  ])('keeps two digits of %i: %i', (records, declared) => {
    expect(roundedDown(records)).toBe(declared)
  })
})
