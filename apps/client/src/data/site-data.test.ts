import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fingerprintRecords } from '@fedsvd/engine/data'
import { describe, expect, it } from 'vitest'
import { labelOf } from '../../test-kit/fake-engine.ts'
import { sampleManifest } from '../../test-kit/sample-run.ts'
import { letterIds, letters } from '../../test-kit/site.ts'
import { type TemporaryFolder, temporaryFolder } from '../../test-kit/temporary-folder.ts'
import { encodedStores, loadSiteData, roundedDown, type SiteData } from './index.ts'

const TWO = '{"text":"one long letter","label":"ham"}\n{"text":"two","label":"spam"}\n'
const { signal } = new AbortController()
const manifest = sampleManifest({ model: { name: 'none', maxTokens: 4 } })

/** A site on one file of the given content. */
async function siteOf({ path }: TemporaryFolder, content = TWO, name = 'data.jsonl'): Promise<SiteData> {
  writeFileSync(join(path, name), content)
  return loadSiteData(join(path, name), {}, join(path, 'state'))
}

describe('the data of a site', () => {
  it('are the same data set in another order or format, and have the same ledger', async () => {
    using folder = temporaryFolder()
    const first = await siteOf(folder)
    const second = await siteOf(folder, 'label,text\nspam,two\nham,one long letter\n', 'data.csv')
    expect(first.fingerprint).toBe(second.fingerprint)
    expect(first.records).toBe(2)
    const inMemory = [
      { text: 'two', label: 'spam' },
      { text: 'one long letter', label: 'ham' },
    ]
    expect(first.fingerprint).toBe(fingerprintRecords(inMemory))
  })

  it('are refused with file and line when a row cannot be read, and when there are none', async () => {
    using folder = temporaryFolder()
    await expect(siteOf(folder, '{"text":"one","label":"ham"}\n{"text":\n')).rejects.toThrow(/DATA_UNREADABLE.*jsonl:2/)
    await expect(siteOf(folder, '')).rejects.toThrow('DATA_EMPTY')
    await expect(loadSiteData(join(folder.path, 'none.csv'), {}, folder.path)).rejects.toThrow(
      /DATA_UNREADABLE.*ENOENT/,
    )
  })

  it.each<[string, (file: string) => void]>([
    ['longer', (file) => appendFileSync(file, '{"text":"three","label":"ham"}\n')],
    ['written again with the same bytes', (file) => writeFileSync(file, readFileSync(file))],
    [
      'edited and given its old time back',
      (file) => {
        const { atime, mtime } = statSync(file)
        writeFileSync(file, TWO.replace('two', 'owt'))
        utimesSync(file, atime, mtime)
      },
    ],
    [
      'replaced by another file',
      (file) => {
        writeFileSync(`${file}.new`, TWO)
        renameSync(`${file}.new`, file)
      },
    ],
    ['gone', (file) => renameSync(file, `${file}.old`)],
  ])('are not trained on once their file is %s', async (_, touch) => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    expect(() => site.requireUnchanged()).not.toThrow()
    touch(site.path)
    expect(() => site.requireUnchanged()).toThrow(/DATA_CHANGED|DATA_UNREADABLE/)
  })

  it('in a folder are watched one by one', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'texts')
    for (const label of ['ham', 'spam']) {
      mkdirSync(join(path, label), { recursive: true })
      writeFileSync(join(path, label, 'a.txt'), `a text of ${label}`)
    }
    const site = await loadSiteData(path, {}, join(folder.path, 'state'))
    expect(site.records).toBe(2)
    expect(() => site.requireUnchanged()).not.toThrow()
    writeFileSync(join(path, 'spam', 'a.txt'), 'another text')
    expect(() => site.requireUnchanged()).toThrow('DATA_CHANGED')
  })
})

describe('the encoded records of a site', () => {
  const stored = (folder: TemporaryFolder, { fingerprint }: SiteData): string[] => {
    return readdirSync(join(folder.path, 'state', 'encoded', fingerprint))
  }

  it('take the labels and the length of the run', async () => {
    using folder = temporaryFolder()
    const stores = encodedStores(join(folder.path, 'state'), await siteOf(folder), async () => letters)
    const records = await stores.open(manifest, signal)
    expect(records.size).toBe(2)
    expect([records.read(0), records.read(1)]).toEqual([
      { tokenIds: letterIds('one ', 4), label: 0 },
      { tokenIds: letterIds('two', 4), label: 1 },
    ])
    records.close()
  })

  it('of a label that the run does not have are refused with file and line, and leave nothing', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters)
    const other = sampleManifest({ labels: ['ham', 'eggs'] })
    await expect(stores.open(other, signal)).rejects.toThrow(/LABEL_UNKNOWN.*data\.jsonl:2/)
    expect(stored(folder, site)).toEqual([])
  })

  it('are read from the file once, and then from the store', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    let readings = 0
    const counted: SiteData = {
      ...site,
      read: (labels) => {
        readings += 1
        return site.read(labels)
      },
    }
    const open = (changes = {}, tokenizer = letters) =>
      encodedStores(join(folder.path, 'state'), counted, async () => tokenizer).open(
        { ...manifest, ...changes },
        signal,
      )
    const contents = []
    for (const changes of [{}, {}, { runId: 'another run' }]) {
      const records = await open(changes)
      contents.push(records.read(0))
      records.close()
    }
    expect(readings).toBe(1)
    expect(contents[2]).toEqual(contents[0])
    ;(await open({ model: { name: 'none', maxTokens: 3 } })).close()
    ;(await open({ labels: ['spam', 'ham'] })).close()
    const capitals = { ...letters, encode: async (text: string, max: number) => letterIds(text.toUpperCase(), max) }
    const other = await open({}, capitals)
    expect(other.read(1).tokenIds).toEqual(letterIds('TWO', 4))
    other.close()
    expect(readings).toBe(4)
  })

  it('are made again where the store is damaged', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    const open = () => encodedStores(join(folder.path, 'state'), site, async () => letters).open(manifest, signal)
    ;(await open()).close()
    const [name] = stored(folder, site)
    writeFileSync(join(folder.path, 'state', 'encoded', site.fingerprint, name!), 'nonsense')
    const records = await open()
    expect(records.read(1)).toEqual({ tokenIds: letterIds('two', 4), label: 1 })
    records.close()
  })

  it('of a file that no longer holds the data set are refused, and leave nothing', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    writeFileSync(site.path, TWO.replace('two', 'owt'))
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters)
    await expect(stores.open(manifest, signal)).rejects.toThrow('DATA_CHANGED')
    expect(stored(folder, site)).toEqual([])
  })

  it('stay while a run has them open, and go when nobody has', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters)
    const [first, second] = [await stores.open(manifest, signal), await stores.open(manifest, signal)]
    first.close()
    first.close()
    stores.prune()
    expect(stored(folder, site)).toHaveLength(1)
    expect(labelOf(second.read(1))).toBe(1)
    second.close()
    stores.prune()
    expect(stored(folder, site)).toEqual([])
  })

  it('are given up when the client is stopped', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    const abort = new AbortController()
    abort.abort(new Error('stopped'))
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters)
    await expect(stores.open(manifest, abort.signal)).rejects.toThrow('stopped')
    expect(stored(folder, site)).toEqual([])
  })
})

describe('persons as units', () => {
  const ROWS = ['ann,one', 'bob,two', ',left out', 'ann,three', 'ann,four'].map((row) => `${row},ham\n`).join('')
  const UNIT = { kind: 'person', maxRecords: 2, combine: 'mean' } as const
  const personSite = ({ path }: TemporaryFolder, content = `who,text,label\n${ROWS}`) => {
    writeFileSync(join(path, 'data.csv'), content)
    return loadSiteData(join(path, 'data.csv'), { unitColumn: 'who' }, join(path, 'state'))
  }

  it('are counted apart from the records that name none, which are left out', async () => {
    using folder = temporaryFolder()
    expect(await personSite(folder)).toMatchObject({ records: 4, unit: 'person', withoutUnit: 1 })
    await expect(personSite(folder, 'who,text,label\n,one,ham\n')).rejects.toThrow('DATA_EMPTY')
    expect(await siteOf(folder)).toMatchObject({ unit: 'record', withoutUnit: 0 })
  })

  it('have their records together, the first so many in the order of the file', async () => {
    using folder = temporaryFolder()
    const stores = encodedStores(join(folder.path, 'state'), await personSite(folder), async () => letters)
    for (const _ of ['made', 'found again']) {
      const records = await stores.open({ ...manifest, unit: UNIT }, signal)
      expect(records.size).toBe(4)
      const groups = Array.from({ length: records.units!.size }, (_, unit) => [...records.units!.recordsOf(unit)])
      expect(groups.toSorted((a, b) => a[0]! - b[0]!)).toEqual([[0, 2], [1]])
      expect(records.read(2).tokenIds).toEqual(letterIds('thre', 4))
      records.close()
    }
    const wider = await stores.open({ ...manifest, unit: { ...UNIT, maxRecords: 9 } }, signal)
    expect(wider.units!.recordsOf(0).length + wider.units!.recordsOf(1).length).toBe(4)
    wider.close()
  })

  it('are made again where the groups are damaged, and go with the records', async () => {
    using folder = temporaryFolder()
    const site = await personSite(folder)
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters)
    const encoded = join(folder.path, 'state', 'encoded', site.fingerprint)
    ;(await stores.open({ ...manifest, unit: UNIT }, signal)).close()
    const name = readdirSync(encoded).find((file) => file.endsWith('.units'))!
    writeFileSync(join(encoded, name), 'nonsense')
    const records = await stores.open({ ...manifest, unit: UNIT }, signal)
    expect(records.units!.size).toBe(2)
    stores.prune()
    expect(readdirSync(encoded)).toHaveLength(2)
    records.close()
    stores.prune()
    expect(readdirSync(encoded)).toEqual([])
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
