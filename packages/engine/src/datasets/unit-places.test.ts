import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { recordsInMemory } from './record-source.ts'
import type { SiteRecord } from './text-record.ts'
import { PlacesWriter, placeOf, readPlaces, splitByPlace } from './unit-places.ts'

const KEY = 'a secret'
const text = (of: string, label = 'ham'): SiteRecord => ({ text: of, label })

describe('the place of a unit', () => {
  it('is the same for copies that differ in case, spaces, punctuation and label, and another for another text', () => {
    const place = placeOf(text('Dear Ada, see you at 10.'), KEY, false)
    for (const copy of ['dear ada see you at 10', '  DEAR ADA,\tsee you -- at 10!!', 'Dear Ada, see you at 10.']) {
      expect(placeOf(text(copy, 'spam'), KEY, false)).toBe(place)
    }
    expect(placeOf(text('Dear Ada, see you at 11.'), KEY, false)).not.toBe(place)
    expect(placeOf(text('Dear Ada, see you at 10.'), 'another', false)).not.toBe(place)
    expect(placeOf(text('!!'), KEY, false)).not.toBe(placeOf(text('??'), KEY, false))
  })

  it('is that of the person where persons are the units, whatever the person wrote', () => {
    const one = placeOf({ ...text('one'), unit: 'ada' }, KEY, true)
    expect(placeOf({ ...text('two'), unit: 'ada' }, KEY, true)).toBe(one)
    expect(placeOf({ ...text('one'), unit: 'bob' }, KEY, true)).not.toBe(one)
  })

  it('takes all texts of a record of each task', () => {
    const places = (
      [
        { text: 'a', pair: 'b', label: 'x' },
        { text: 'a', pair: 'c', label: 'x' },
        { task: 'token-classification', words: ['a', 'd'], tags: ['O', 'O'] },
        { task: 'causal-lm', text: 'e' },
        { task: 'instruction-tuning', prompt: 'a', answer: 'f' },
        { task: 'instruction-tuning', prompt: 'a', answer: 'g' },
      ] as const
    ).map((record) => placeOf(record, KEY, false))
    expect(new Set(places).size).toBe(6)
  })

  it('is kept as it was', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fedsvd-places-'))
    const places = Array.from({ length: 10_000 }, (_, at) => (at * 2_654_435_761) % 2 ** 32)
    const writer = new PlacesWriter()
    for (const place of places) writer.add(place)
    writer.write(join(folder, 'one.places'), KEY)
    expect([...readPlaces(join(folder, 'one.places'), KEY)!]).toEqual(places)
    expect(readPlaces(join(folder, 'one.places'), 'another key')).toBeUndefined()
    rmSync(folder, { recursive: true })
  })
})

describe('a data set in two parts', () => {
  const records = recordsInMemory(Array.from({ length: 1000 }, (_, at) => ({ tokenIds: Int32Array.of(at), label: 0 })))
  const places = Uint32Array.from({ length: 1000 }, (_, at) => placeOf(text(`record ${at}`), KEY, false))
  const idsIn = (part: typeof records) => Array.from({ length: part.size }, (_, at) => part.read(at).tokenIds[0]!)

  it('has each record in one of them, about the share that was asked for aside', () => {
    const { training, setAside } = splitByPlace(records, places, 0.2)
    expect([...idsIn(training), ...idsIn(setAside)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, at) => at),
    )
    expect(setAside.size).toBeGreaterThan(150)
    expect(setAside.size).toBeLessThan(250)
    expect([...training.lengthsOf(Uint32Array.of(0, training.size - 1))]).toEqual([1, 1])
  })

  it('sets no unit aside for another one: with a record less, each other stays where it was', () => {
    const { setAside } = splitByPlace(records, places, 0.2)
    const without = recordsInMemory(
      idsIn(records)
        .slice(1)
        .map((id) => ({ tokenIds: Int32Array.of(id), label: 0 })),
    )
    const other = splitByPlace(without, places.subarray(1), 0.2).setAside
    expect(idsIn(other)).toEqual(idsIn(setAside).filter((id) => id !== 0))
    const more = new Set(idsIn(splitByPlace(records, places, 0.3).setAside))
    expect(idsIn(setAside).every((id) => more.has(id))).toBe(true)
  })

  it('keeps the records of a person together', () => {
    const groups = Array.from({ length: 500 }, (_, person) => [2 * person, 2 * person + 1])
    const ofPersons = recordsInMemory(
      Array.from({ length: 1000 }, (_, at) => ({ tokenIds: Int32Array.of(at), label: 0 })),
      groups,
    )
    const byPerson = Uint32Array.from({ length: 1000 }, (_, at) =>
      placeOf({ ...text(`${at}`), unit: `${Math.floor(at / 2)}` }, KEY, true),
    )
    const { training, setAside } = splitByPlace(ofPersons, byPerson, 0.5)
    expect(training.units!.size + setAside.units!.size).toBe(500)
    for (const part of [training, setAside]) {
      for (let unit = 0; unit < part.units!.size; unit++) {
        const [first, second] = part.units!.recordsOf(unit)
        expect(part.read(second!).tokenIds[0]).toBe(part.read(first!).tokenIds[0]! + 1)
      }
    }
  })
})
