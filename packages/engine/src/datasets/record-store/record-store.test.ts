import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EncodedRecord } from '../index.ts'
import { recordsInMemory } from '../record-source.ts'
import { openRecordStore } from './open-store.ts'
import { RecordStoreWriter } from './write-store.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-store-'))
  path = join(folder, 'deep', 'one.records')
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(records: readonly EncodedRecord[], key = 'key'): void {
  using writer = new RecordStoreWriter(path, key)
  for (const record of records) writer.add(record)
  writer.finish()
}

const id = fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 2 ** 31 - 1 }), fc.integer({ min: -(2 ** 31), max: -1 }))
const ids = fc.array(id, { minLength: 1, maxLength: 40 }).map((values) => Int32Array.from(values))
const record: fc.Arbitrary<EncodedRecord> = fc.record(
  { tokenIds: ids, label: fc.integer({ min: -100, max: 10_000 }), typeIds: ids, tags: ids, answerStart: fc.nat() },
  { requiredKeys: ['tokenIds', 'label'] },
)
const recordsOf = (count: number): EncodedRecord[] =>
  Array.from({ length: count }, (_, n) => ({ tokenIds: new Int32Array(1 + (n % 7)).fill(n), label: n % 2 }))

describe('a record store', () => {
  it('gives back every record, of whatever fields, and their lengths', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), (records) => {
        write(records)
        using store = openRecordStore(path, 'key')!
        expect(store.size).toBe(records.length)
        expect(records.map((_, position) => store.read(position))).toEqual(records)
        const all = Uint32Array.from(records.keys())
        expect(store.lengthsOf(all)).toEqual(recordsInMemory(records).lengthsOf(all))
      }),
      { numRuns: 60 },
    )
  })

  it('finds records beyond one block of the index, in any selection', () => {
    const records = recordsOf(20_000)
    write(records)
    using store = openRecordStore(path, 'key')!
    const some = Uint32Array.of(0, 1, 4095, 4096, 9000, 19_998, 19_999)
    expect([...store.lengthsOf(some)]).toEqual([...some].map((position) => records[position]!.tokenIds.length))
    for (const position of [19_999, 0, 12_345]) expect(store.read(position)).toEqual(records[position])
  })

  it('of no records is a store', () => {
    write([])
    using store = openRecordStore(path, 'key')!
    expect(store.size).toBe(0)
    expect(store.lengthsOf(new Uint32Array(0))).toHaveLength(0)
  })

  it('refuses positions outside', () => {
    write(recordsOf(3))
    using store = openRecordStore(path, 'key')!
    for (const position of [3, -1, 0.5, Number.NaN]) expect(() => store.read(position)).toThrow(/record from 0 to 2/)
    expect(() => store.lengthsOf(Uint32Array.of(3))).toThrow(/record from 0 to 2/)
    expect(() => recordsInMemory(recordsOf(3)).read(3)).toThrow(/record from 0 to 2/)
  })

  it('is for its owner only, and alone in its folder', () => {
    write(recordsOf(3))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'deep')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(folder, 'deep'))).toEqual(['one.records'])
  })

  it('is nothing until it is finished', () => {
    {
      using writer = new RecordStoreWriter(path, 'key')
      for (const one of recordsOf(9)) writer.add(one)
      expect(openRecordStore(path, 'key')).toBeUndefined()
    }
    expect(readdirSync(join(folder, 'deep'))).toEqual([])
  })

  it('takes a byte or two for a token of a usual vocabulary', () => {
    write(Array.from({ length: 1000 }, () => ({ tokenIds: new Int32Array(100).fill(7999), label: 1 })))
    expect(statSync(path).size).toBeLessThan(1000 * (100 * 2 + 18) + 500)
  })
})

describe('a store that is not opened', () => {
  beforeEach(() => write(recordsOf(500)))

  it('because there is none, or one of other data', () => {
    expect(openRecordStore(join(folder, 'other.records'), 'key')).toBeUndefined()
    expect(openRecordStore(path, 'another key')).toBeUndefined()
  })

  it('because it was cut off, wherever', () => {
    const { size } = statSync(path)
    for (const kept of [size - 1, size - 12, size - 200, size >> 1, 12, 0]) {
      truncateSync(path, kept)
      expect(openRecordStore(path, 'key')).toBeUndefined()
    }
  })

  it('because a byte of it changed, wherever', () => {
    const bytes = readFileSync(path)
    for (const at of [0, 100, bytes.length >> 1, bytes.length - 30, bytes.length - 5, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 0x04
      writeFileSync(path, changed)
      expect(openRecordStore(path, 'key')).toBeUndefined()
    }
    writeFileSync(path, bytes.toString('latin1').replace('"tokenIds"', '"tokenIdz"'), 'latin1')
    expect(openRecordStore(path, 'key')).toBeUndefined()
  })
})
