import type { GradientPart } from '@fedsvd/core/privacy'
import { describe, expect, it } from 'vitest'
import type { EncodedRecord } from '../datasets/index.ts'
import { type RecordSource, recordsInMemory } from '../datasets/index.ts'
import type { GradientSource } from './gradient-source.ts'
import { sumOfLot } from './lot-sum.ts'
import type { Lot } from './lots/index.ts'

const TERMS = { specs: [{ name: 'b', shape: [2, 2] }], clipNorm: 1 }
const ROWS = 10

const recordsOf = (size: number): EncodedRecord[] =>
  Array.from({ length: size }, (_, index) => ({ tokenIds: new Int32Array(1 + ((7 * index) % 13)), label: index % 3 }))
/** Every second record of twice as many. */
const lotOf = (size: number): Lot => ({
  records: recordsInMemory(recordsOf(2 * size)),
  members: Uint32Array.from({ length: size }, (_, index) => 2 * index),
})
const labelOf = (record: EncodedRecord) => ('label' in record ? record.label : undefined)
const membersOf = ({ records, members }: Lot) => Array.from(members, (position) => records.read(position))

/** Gradients that follow from length and label; records of 13 tokens are malformed. */
const sourceOf = (onPart: (records: readonly EncodedRecord[]) => void = () => {}): GradientSource<EncodedRecord> => ({
  accepted: (record) => (record.tokenIds.length === 13 ? undefined : record),
  shapeOf: ({ tokenIds }) => ({ rows: ROWS, length: tokenIds.length <= 6 ? 6 : 12, targets: tokenIds.length % 2 }),
  gradients: async (records) => {
    onPart(records)
    return records.map((record): readonly GradientPart[] => {
      const label = 'label' in record ? record.label : 0
      return [Float32Array.of(record.tokenIds.length / 50, label, -0.1, label === 2 ? Number.NaN : 0.2)]
    })
  },
})

describe('sumOfLot', () => {
  it('is the sum over its records one by one, whatever the cuts; what is malformed or not finite is zeros', async () => {
    const lot = lotOf(95)
    const whole = await sumOfLot(lot, TERMS, sourceOf())
    const parts = await Promise.all(
      membersOf(lot).map((record) =>
        sumOfLot({ records: recordsInMemory([record]), members: Uint32Array.of(0) }, TERMS, sourceOf()),
      ),
    )
    expect(whole.gridSum[0]).toEqual(
      parts.map(({ gridSum }) => gridSum[0]!).reduce((sum, part) => sum.map((value, at) => value + part[at]!)),
    )
    const of = (pick: (part: (typeof parts)[number]) => number) => parts.reduce((sum, part) => sum + pick(part), 0)
    expect(whole.records).toBe(95)
    expect([whole.leftOut, whole.votes]).toEqual([of(({ leftOut }) => leftOut), of(({ votes }) => votes)])
    expect(whole.leftOut).toBeGreaterThan(95 / 3)
    expect(whole.leftOut).toBeLessThan(95 / 2)
  })

  it('computes records of one shape together, the shortest first, and no more than the shape has rows', async () => {
    const batches: (readonly EncodedRecord[])[] = []
    await sumOfLot(
      lotOf(95),
      TERMS,
      sourceOf((records) => void batches.push(records)),
    )
    for (const batch of batches) {
      expect(batch.length).toBeLessThanOrEqual(ROWS)
      const shapes = batch.map((record) => JSON.stringify(sourceOf().shapeOf(record)))
      expect(new Set(shapes).size).toBe(1)
    }
    const places = batches.map(([first]) => sourceOf().shapeOf(first!).length)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    // two lengths, two numbers of targets
    expect(batches.filter((batch) => batch.length < ROWS).length).toBeLessThanOrEqual(4)
  })

  it('of an empty lot is zeros, of every trained tensor', async () => {
    const { gridSum, records, votes } = await sumOfLot(lotOf(0), TERMS, sourceOf())
    expect([gridSum, records, votes]).toEqual([[new Float64Array(4)], 0, 0])
  })

  it('leaves out a record that fails by itself, and no other: its micro-batch is computed one by one', async () => {
    const lot = lotOf(95)
    const failsOn = (record: EncodedRecord): boolean => record.tokenIds.length === 5 && labelOf(record) === 1
    const failing = sourceOf((records) => {
      if (records.some(failsOn)) throw new RangeError('bad allocation')
    })
    const faults: unknown[] = []
    const sum = await sumOfLot(lot, TERMS, failing, { onFault: (error) => faults.push(error) })
    const others = lot.members.filter((position) => !failsOn(lot.records.read(position)))
    const without = await sumOfLot({ ...lot, members: others }, TERMS, sourceOf())
    expect(faults).toHaveLength(95 - others.length)
    expect(faults.length).toBeGreaterThan(0)
    expect(sum.gridSum).toEqual(without.gridSum)
    expect([sum.records, sum.leftOut]).toEqual([95, without.leftOut + faults.length])
    await expect(sumOfLot(lot, TERMS, failing)).rejects.toThrow('bad allocation')
  })

  it('stops between two micro-batches', async () => {
    const abort = new AbortController()
    let calls = 0
    const source = sourceOf(() => {
      calls += 1
      abort.abort(new Error('the round is closed'))
    })
    await expect(sumOfLot(lotOf(95), TERMS, source, { signal: abort.signal })).rejects.toThrow('the round is closed')
    expect(calls).toBe(1)
  })

  it('waits before each micro-batch, and says how far it is', async () => {
    const order: string[] = []
    await sumOfLot(
      lotOf(25),
      TERMS,
      sourceOf((records) => void order.push(`batch of ${records.length}`)),
      {
        resumeGate: async () => order.push('go ahead'),
        onPart: (done) => order.push(`${done} done`),
      },
    )
    expect(order.slice(0, 2)).toEqual(['go ahead', expect.stringMatching(/^batch of/)])
    expect(order.at(-1)).toBe('25 done')
    expect(order.filter((line) => line === 'go ahead')).toHaveLength(order.length / 3)
  })

  it('never holds more records than one micro-batch for each number of targets, however large the lot', async () => {
    const size = 100_000
    let [held, most, seen] = [0, 0, 0]
    const records: RecordSource = {
      size,
      lengthsOf: (positions) => positions.map((position) => 1 + (position % 12)),
      read: (position) => {
        held += 1
        most = Math.max(most, held)
        return { tokenIds: new Int32Array(1 + (position % 12)), label: 1 }
      },
    }
    const members = Uint32Array.from({ length: size }, (_, position) => position)
    const source = sourceOf((part) => {
      seen += part.length
      held -= part.length // they are computed, and let go of before the next part is read
    })
    const sum = await sumOfLot({ records, members }, TERMS, source)
    expect({ seen, records: sum.records }).toEqual({ seen: size, records: size })
    expect(most).toBeLessThanOrEqual(2 * ROWS)
  })
})
