import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TextRecord } from '@fedsvd/engine/datasets'
import { findNearDuplicates, loadRecords } from '@fedsvd/engine/datasets'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientOf, STARTER_CLIENTS } from './clients.ts'
import { rawMails, STARTER_LABELS } from './corpus-files.ts'
import { SAME_BODY, type StarterRecord } from './load.ts'
import { HOLD_OUT_EVERY, splitStarterCorpus } from './split.ts'
import { type StarterCorpusFiles, writeStarterCorpus } from './write.ts'

let folder: string
let first: StarterCorpusFiles
let holdOut: TextRecord[]
let clients: { name: string; records: TextRecord[] }[]

beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'fedsvd-corpus-')), 'made', 'on', 'demand')
  first = await writeStarterCorpus(folder)
  holdOut = await loadRecords(first.holdOut, { labels: STARTER_LABELS })
  clients = await Promise.all(
    first.clients.map(async ({ name, file }) => ({
      name,
      records: await loadRecords(file, { labels: STARTER_LABELS }),
    })),
  )
}, 120_000)
afterAll(() => rm(join(folder, '../../..'), { recursive: true }))

const everything = (): TextRecord[] => [...holdOut, ...clients.flatMap(({ records }) => records)]
const spamShare = (records: readonly TextRecord[]): number =>
  records.filter(({ label }) => label === 'spam').length / records.length

describe('the prepared corpus', () => {
  test('accounts for every one of the 6,046 mails', () => {
    const { mails, dropped } = first.summary
    expect(mails).toBe(6046)
    expect(everything()).toHaveLength(mails - dropped.empty - dropped.repeated)
    expect(dropped.repeated).toBeGreaterThan(509)
    expect(dropped.empty).toBeLessThan(60)
  })

  test('no two records are near-duplicates, within a part or across parts', () => {
    const repeats = findNearDuplicates(
      everything().map(({ text }) => text),
      SAME_BODY,
    )
    expect(repeats.filter((repeated) => repeated >= 0)).toHaveLength(0)
  })

  test('no record is in two parts', () => {
    expect(new Set(everything().map(({ text }) => text)).size).toBe(everything().length)
  })

  test('no text holds the headers of the mail that it came in', () => {
    // The mailbox's own server wrote this into the headers of most mails on their last hop.
    const lastHop = '(single-drop)'
    expect([...rawMails()].filter(({ bytes }) => bytes.includes(lastHop)).length).toBeGreaterThan(4000)
    expect(everything().filter(({ text }) => text.includes(lastHop))).toHaveLength(0)
  })

  test('each list, and each feed, is at one client only', () => {
    const homes = new Map<string, Set<string>>()
    for (const { name, records } of clients) {
      for (const { source } of records.filter(({ source }) => !source!.startsWith('sender:'))) {
        homes.set(source!, (homes.get(source!) ?? new Set()).add(name))
      }
    }
    expect(homes.size).toBeGreaterThan(30)
    expect([...homes.values()].filter((names) => names.size > 1)).toHaveLength(0)
  })

  test('each list named in the table occurs in the corpus', () => {
    const sources = new Set(everything().map(({ source }) => source))
    const named = STARTER_CLIENTS.flatMap(({ lists }) => lists.map((list) => `list:${list}`))
    expect(named.filter((list) => !sources.has(list))).toEqual([])
  })

  test('clients have enough of both classes, in unlike shares', () => {
    const shares = clients.map(({ records }) => spamShare(records)).sort()
    for (const { records } of clients) expect(records.length).toBeGreaterThan(1000)
    expect(shares[0]).toBeGreaterThan(0.05)
    expect(shares[1]! - shares[0]!).toBeGreaterThan(0.08)
    expect(shares[2]! - shares[1]!).toBeGreaterThan(0.08)
  })

  test('the hold-out is a sixth of each class', () => {
    expect(holdOut.length).toBeGreaterThan(800)
    for (const label of STARTER_LABELS) {
      const count = (records: readonly TextRecord[]) => records.filter((record) => record.label === label).length
      expect(count(holdOut)).toBe(Math.ceil(count(everything()) / HOLD_OUT_EVERY))
    }
  })

  test('the summary counts what is in the files', () => {
    expect(first.summary.holdOut.records).toBe(holdOut.length)
    expect(first.summary.holdOut.majority).toBeCloseTo(1 - spamShare(holdOut), 12)
    first.summary.clients.forEach((summary, i) => {
      const { name, records } = clients[i]!
      const { ham, spam } = summary.classes
      expect(summary).toMatchObject({ name, records: records.length, majority: Math.max(ham, spam) / records.length })
      expect([ham + spam, spam / (ham + spam)]).toEqual([records.length, spamShare(records)])
    })
  })
})

describe('the split', () => {
  test('does not depend on the order in which records come', () => {
    const records = everything() as StarterRecord[]
    expect(splitStarterCorpus([...records].reverse())).toEqual(splitStarterCorpus(records))
  })

  test('deals spam without a list by its sender, and keeps a list together whatever the label', () => {
    const spam = Array.from({ length: 3000 }, (_, i) => clientOf({ label: 'spam', source: `sender:s${i}.com` }))
    for (const { name, spamShare } of STARTER_CLIENTS) {
      // Three thousand coins: four standard deviations are at most 0.037.
      expect(Math.abs(spam.filter((home) => home === name).length / 3000 - spamShare)).toBeLessThan(0.04)
    }
    expect(clientOf({ label: 'spam', source: 'list:fork' })).toBe('community')
    expect(clientOf({ label: 'ham', source: 'list:fork' })).toBe('community')
    expect(clientOf({ label: 'ham', source: 'list:not-in-the-table' })).toBe('newsdesk')
  })

  test('the shares of spam make a whole', () => {
    expect(STARTER_CLIENTS.reduce((sum, { spamShare }) => sum + spamShare, 0)).toBeCloseTo(1, 12)
  })
})

describe('the files', () => {
  test('are left alone when they are whole and of this version', async () => {
    const again = await writeStarterCorpus(folder)
    expect(again).toEqual({ ...first, cached: true })
  })

  test('are made again, byte for byte, when one of them was changed', async () => {
    const file = first.clients[0]!.file
    const before = await readFile(file)
    await writeFile(file, before.subarray(0, before.length - 10))
    expect((await writeStarterCorpus(folder)).cached).toBe(false)
    expect((await readFile(file)).equals(before)).toBe(true)
  }, 120_000)
})
