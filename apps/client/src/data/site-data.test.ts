import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fingerprintRecords } from '@fedsvd/engine/datasets'
import { labelOf } from '@fedsvd/testing/client/fake-engine'
import { sampleBound, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { letterIds, letters } from '@fedsvd/testing/client/site'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { openLedger } from '../ledger/index.ts'
import { encodedStores } from './encoded-records.ts'
import { knownDatasets } from './known-names.ts'
import { loadSiteData, type SiteData } from './site-data.ts'

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

  it('are what can be read of their file: no row decides whether a client starts', async () => {
    using folder = temporaryFolder()
    using site = await siteOf(folder, '{"text":"one","label":"ham"}\n{"text":\n{"text":" ","label":"ham"}\n')
    expect(site.records).toBe(1)
    expect(site.leftOut.count).toBe(2)
    expect(site.leftOut.first?.message).toMatch(/DATA_UNREADABLE.*data\.jsonl:2/)
    using empty = await siteOf(folder, '')
    expect({ records: empty.records, leftOut: empty.leftOut.count }).toEqual({ records: 0, leftOut: 0 })
    await expect(loadSiteData(join(folder.path, 'none.csv'), {}, folder.path)).rejects.toThrow(
      /DATA_UNREADABLE.*ENOENT/,
    )
  })

  it('are all of their files, each once; another one that a pattern finds is a change', async () => {
    using folder = temporaryFolder()
    for (const n of [1, 2])
      writeFileSync(
        join(folder.path, `${n}.jsonl`),
        TWO.replaceAll('l', `${n}`).replaceAll('1abe1', 'label').replaceAll('2abe2', 'label'),
      )
    const pattern = join(folder.path, '*.jsonl')
    using site = await loadSiteData(pattern, {}, join(folder.path, 'state'))
    expect({ files: site.files, records: site.records }).toEqual({ files: 2, records: 4 })
    using named = await loadSiteData([join(folder.path, '2.jsonl'), join(folder.path, '1.jsonl')], {}, folder.path)
    expect(named.fingerprint).toBe(site.fingerprint)
    expect(site.hasChanged()).toBe(false)
    writeFileSync(join(folder.path, '3.jsonl'), TWO)
    expect(site.hasChanged()).toBe(true)
    expect(named.hasChanged()).toBe(false)
    const twice = loadSiteData([pattern, join(folder.path, '1.jsonl')], {}, folder.path)
    await expect(twice).rejects.toThrow(/every file of a data set once/)
  })

  it.runIf(process.platform === 'linux')('are refused a state folder where none can be made', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'data.jsonl'), TWO)
    await expect(loadSiteData(join(folder.path, 'data.jsonl'), {}, '/proc/none/state')).rejects.toThrow(/ENOENT.*mkdir/)
  })

  it('keep the name by which a ledger knows them, whatever release gave it', async () => {
    using folder = temporaryFolder()
    const content = 'text,label\none,True\ntwo,2.50\nthree,2024-01-31 12:00:00\n'
    const former = [
      ['True', '2.50', '2024-01-31 12:00:00'], // the first release
      ['true', '2.50', '2024-01-31 12:00:00'],
    ].map((labels) => fingerprintRecords(labels.map((label, n) => ({ text: ['one', 'two', 'three'][n]!, label }))))
    const path = join(folder.path, 'data.csv')
    writeFileSync(path, content)
    using fresh = await loadSiteData(path, {}, folder.path)
    expect(former).not.toContain(fresh.fingerprint)
    for (const name of [...former, fresh.fingerprint]) {
      using site = await loadSiteData(path, {}, folder.path, () => new Set([name]))
      expect(site.fingerprint).toBe(name)
    }
    using other = await loadSiteData(path, {}, folder.path, () => new Set(['0'.repeat(64)]))
    expect(other.fingerprint).toBe(fresh.fingerprint)
  })

  it('are known by what their ledgers have charged, and by earlier ledgers', () => {
    using folder = temporaryFolder()
    const [own, earlier] = [join(folder.path, 'own'), join(folder.path, 'earlier')]
    expect(knownDatasets(own, []).size).toBe(0)
    const fingerprint = 'ab'.repeat(32)
    {
      using ledger = openLedger(own, fingerprint, { epsilon: 8, delta: 1e-5 })
      ledger.charge('count', { ...sampleBound().event, steps: 1 })
    }
    mkdirSync(join(earlier, 'ledgers'), { recursive: true })
    writeFileSync(join(earlier, 'ledgers', `${'cd'.repeat(32)}.jsonl`), '')
    expect([...knownDatasets(own, [earlier])]).toEqual([fingerprint, 'cd'.repeat(32)])
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
  ])('stay what they were when their file is %s, which is seen', async (_, touch) => {
    using folder = temporaryFolder()
    using site = await siteOf(folder)
    expect(site.hasChanged()).toBe(false)
    touch(site.path)
    expect(site.hasChanged()).toBe(true)
    const records = []
    for await (const record of site.read()) records.push(record)
    expect(records).toEqual(
      TWO.trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    )
  })

  it('in a folder are watched one by one', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'texts')
    for (const label of ['ham', 'spam']) {
      mkdirSync(join(path, label), { recursive: true })
      writeFileSync(join(path, label, 'a.txt'), `a text of ${label}`)
    }
    using site = await loadSiteData(path, {}, join(folder.path, 'state'))
    expect(site.records).toBe(2)
    expect(site.hasChanged()).toBe(false)
    writeFileSync(join(path, 'spam', 'a.txt'), 'another text')
    expect(site.hasChanged()).toBe(true)
  })

  it('are kept where no other process finds them, however long they are', async () => {
    using folder = temporaryFolder()
    const texts = ['short', 'é漢👋'.repeat(50_000), 'x'.repeat(70_000)]
    using site = await siteOf(folder, texts.map((text) => JSON.stringify({ text, label: 'a' })).join('\n'))
    const [first, second]: string[][] = [[], []]
    for await (const record of site.read()) first!.push((record as { text: string }).text)
    for await (const record of site.read()) second!.push((record as { text: string }).text)
    expect(first).toEqual(texts)
    expect(second).toEqual(texts)
    expect(readdirSync(join(folder.path, 'state', 'encoded'))).toEqual([])
  })
})

describe('the encoded records of a site', () => {
  const stored = (folder: TemporaryFolder, { fingerprint }: SiteData): string[] => {
    const path = join(folder.path, 'state', 'encoded', fingerprint)
    return existsSync(path) ? readdirSync(path) : []
  }

  it('take the labels and the length of the run', async () => {
    using folder = temporaryFolder()
    const stores = encodedStores(join(folder.path, 'state'), await siteOf(folder), async () => letters)
    const records = await (await stores.prepare(manifest)).open(signal)
    expect(records.size).toBe(2)
    expect([records.read(0), records.read(1)]).toEqual([
      { tokenIds: letterIds('one ', 4), label: 0 },
      { tokenIds: letterIds('two', 4), label: 1 },
    ])
    records.close()
  })

  it('of a label that the run does not have are left out, and so are those of which no token is left', async () => {
    using folder = temporaryFolder()
    using site = await siteOf(folder, `${TWO}{"text":"--","label":"ham"}\n{"text":"three","label":"ham"}\n`)
    const picky = {
      ...letters,
      encode: async (text: string, most: number) => {
        if (text.startsWith('three')) throw new TypeError('a fault of a tokenizer')
        return text === '--' ? new Int32Array(0) : letters.encode(text, most)
      },
    }
    const stores = encodedStores(join(folder.path, 'state'), site, async () => picky)
    const other = sampleManifest({ labels: ['ham', 'eggs'] })
    const records = await (await stores.prepare(other)).open(signal)
    expect(records.size).toBe(1)
    expect(records.leftOut.count).toBe(3)
    expect(records.leftOut.first?.code).toBe('LABEL_UNKNOWN')
    records.close()
    const none = await (await stores.prepare(sampleManifest({ labels: ['eggs', 'bacon'] }))).open(signal)
    expect({ size: none.size, leftOut: none.leftOut.count }).toEqual({ size: 0, leftOut: 4 })
    none.close()
  })

  it('are asked for by a model that takes them, before one is read', async () => {
    using folder = temporaryFolder()
    using site = await siteOf(folder)
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters, { pairs: true })
    await expect(stores.prepare(manifest)).rejects.toThrow(/CONFIG_INVALID.*got pairs of texts/)
    const one = encodedStores(join(folder.path, 'state'), site, async () => letters)
    await expect(one.prepare(sampleManifest({ labels: ['ham'] }))).rejects.toThrow('CONFIG_INVALID')
  })

  it('are read from the file once, and then from the store', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    let readings = 0
    const counted: SiteData = {
      ...site,
      read: () => {
        readings += 1
        return site.read()
      },
    }
    const open = async (changes = {}, tokenizer = letters) => {
      const stores = encodedStores(join(folder.path, 'state'), counted, async () => tokenizer)
      return (await stores.prepare({ ...manifest, ...changes })).open(signal)
    }
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
    const open = () =>
      encodedStores(join(folder.path, 'state'), site, async () => letters)
        .prepare(manifest)
        .then((one) => one.open(signal))
    ;(await open()).close()
    const [name] = stored(folder, site)
    writeFileSync(join(folder.path, 'state', 'encoded', site.fingerprint, name!), 'nonsense')
    const records = await open()
    expect(records.read(1)).toEqual({ tokenIds: letterIds('two', 4), label: 1 })
    records.close()
  })

  it('stay while a run has them open, and go when nobody has', async () => {
    using folder = temporaryFolder()
    const site = await siteOf(folder)
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters)
    const prepared = await stores.prepare(manifest)
    const [first, second] = await Promise.all([prepared.open(signal), prepared.open(signal)])
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
    await expect((await stores.prepare(manifest)).open(abort.signal)).rejects.toThrow('stopped')
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
    expect(await personSite(folder, 'who,text,label\n,one,ham\n')).toMatchObject({ records: 0, withoutUnit: 1 })
    expect(await siteOf(folder)).toMatchObject({ unit: 'record', withoutUnit: 0 })
  })

  it('have their records together, the first so many in the order of the file', async () => {
    using folder = temporaryFolder()
    const stores = encodedStores(join(folder.path, 'state'), await personSite(folder), async () => letters)
    for (const _ of ['made', 'found again']) {
      const records = await (await stores.prepare({ ...manifest, unit: UNIT })).open(signal)
      expect(records.size).toBe(4)
      const groups = Array.from({ length: records.units!.size }, (_, unit) => [...records.units!.recordsOf(unit)])
      expect(groups.toSorted((a, b) => a[0]! - b[0]!)).toEqual([[0, 2], [1]])
      expect(records.read(2).tokenIds).toEqual(letterIds('thre', 4))
      records.close()
    }
    const wider = await (await stores.prepare({ ...manifest, unit: { ...UNIT, maxRecords: 9 } })).open(signal)
    expect(wider.units!.recordsOf(0).length + wider.units!.recordsOf(1).length).toBe(4)
    wider.close()
  })

  it('are made again where the groups are damaged, and go with the records', async () => {
    using folder = temporaryFolder()
    const site = await personSite(folder)
    const stores = encodedStores(join(folder.path, 'state'), site, async () => letters)
    const encoded = join(folder.path, 'state', 'encoded', site.fingerprint)
    ;(await (await stores.prepare({ ...manifest, unit: UNIT })).open(signal)).close()
    const name = readdirSync(encoded).find((file) => file.endsWith('.units'))!
    writeFileSync(join(encoded, name), 'nonsense')
    const records = await (await stores.prepare({ ...manifest, unit: UNIT })).open(signal)
    expect(records.units!.size).toBe(2)
    stores.prune()
    expect(readdirSync(encoded)).toHaveLength(2)
    records.close()
    stores.prune()
    expect(readdirSync(encoded)).toEqual([])
  })
})
