import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SiteRecord } from '../text-record.ts'
import { fingerprintRecords } from './fingerprint.ts'
import { Fingerprinter } from './fingerprinter.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-fingerprint-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function streamed(records: readonly SiteRecord[], digestsInMemory?: number): string {
  using fingerprinter = new Fingerprinter(folder, digestsInMemory)
  for (const record of records) fingerprinter.add(record)
  expect(fingerprinter.records).toBe(records.length)
  return fingerprinter.finish()
}

describe('the fingerprint of a stream', () => {
  it('is that of the records in memory, however many blocks go to the disk', () => {
    const few = fc.record({ text: fc.string({ maxLength: 3 }), label: fc.constantFrom('a', 'b') })
    const records = fc.array(few, { maxLength: 60 })
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 64 }), (all, digestsInMemory) => {
        expect(streamed(all, digestsInMemory)).toBe(fingerprintRecords(all))
      }),
    )
  })

  it('merges blocks that are longer than what is read of them at a time', () => {
    const records = Array.from({ length: 1100 }, (_, n) => ({ text: `text ${n % 700}`, label: 'a' }))
    expect(streamed(records, 300)).toBe(fingerprintRecords(records))
    expect(streamed(records)).toBe(fingerprintRecords(records))
  })

  it('leaves no file behind, also when it is given up half-way', () => {
    using given = new Fingerprinter(folder, 1)
    for (const text of ['one', 'two', 'three']) given.add({ text, label: 'a' })
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('a pair of texts', () => {
  const pair = (text: string, second?: string): SiteRecord =>
    second === undefined ? { text, label: 'a' } : { text, pair: second, label: 'a' }

  it('is neither its first text alone, nor the other way round, nor both texts in one', () => {
    const variants = [pair('ab', 'c'), pair('a', 'bc'), pair('c', 'ab'), pair('ab'), pair('abc'), pair('ab', '')]
    expect(new Set(variants.map((one) => fingerprintRecords([one]))).size).toBe(variants.length)
  })
})
