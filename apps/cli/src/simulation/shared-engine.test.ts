import { type AdapterState, trainedSpecs } from '@fedsvd/core/lora'
import { beginClippedSum } from '@fedsvd/core/privacy'
import { type EncodedRecord, recordsInMemory } from '@fedsvd/engine/datasets'
import type { PrivateEngine } from '@fedsvd/engine/training'
import { describe, expect, it } from 'vitest'
import { sharedEngine } from './shared-engine.ts'

const schema = {
  rank: 1,
  alpha: 1,
  layers: [{ name: 'layer', dIn: 2, dOut: 3 }],
  head: [],
  headMode: 'frozen',
} as const
const state = (value: number): AdapterState => ({
  basis: 0,
  a: [{ name: 'layer', shape: [1, 2], data: new Float32Array(2) }],
  b: [{ name: 'layer', shape: [3, 1], data: new Float32Array(3).fill(value) }],
  head: [],
})

/** Sixteen records to a micro-batch, two where they are longer than sixteen tokens. */
function countingEngine() {
  const batches: number[] = []
  const engine = {
    schema,
    rowsFor: ({ tokenIds }) => (tokenIds.length > 16 ? 2 : 16),
    recordGradients: async (records, { b }) => {
      batches.push(records.length)
      await new Promise((resolve) => setImmediate(resolve))
      if (records.some(({ tokenIds }) => tokenIds[0] === 13)) throw new Error('unlucky')
      return records.map(({ tokenIds }) => {
        const gradient = Float32Array.of(tokenIds[0]! / 100, b[0]!.data[0]!, tokenIds.length / 100)
        return { loss: 0, gradient: [gradient] }
      })
    },
  } satisfies Partial<PrivateEngine>
  return { engine: engine as unknown as PrivateEngine, batches }
}

const records = (...first: number[]): EncodedRecord[] =>
  first.map((id) => ({ tokenIds: new Int32Array(id > 50 ? 20 : 4).fill(id), label: 0 }))
const lotOf = (all: EncodedRecord[]) => ({ records: recordsInMemory(all), members: Uint32Array.from(all.keys()) })

/** What the lot comes to without any company. */
async function alone(all: EncodedRecord[], value: number) {
  const { engine } = countingEngine()
  const sum = beginClippedSum({ specs: trainedSpecs(schema), clipNorm: 1 })
  for (const record of all) sum.add((await engine.recordGradients([record], state(value)))[0]!.gradient)
  return sum.finish()
}

describe('an engine that sites share', () => {
  it('fills micro-batches with the lots of several sites, and gives each its own sum', async () => {
    const { engine, batches } = countingEngine()
    const shared = sharedEngine(engine)
    const lots = Array.from({ length: 40 }, (_, site) => records(site + 1, site === 12 ? 40 : site, 49))
    const sums = await Promise.all(lots.map((lot) => shared.clippedLotSum(lotOf(lot.map(fix)), state(0.5), 1)))
    for (const [site, lot] of lots.entries()) expect(sums[site]).toEqual(await alone(lot.map(fix), 0.5))
    // 120 records in micro-batches of sixteen: eight where they are full, forty without sharing
    expect(batches.reduce((sum, count) => sum + count, 0)).toBe(120)
    expect(batches.length).toBeLessThan(16)
  })

  it('keeps states and lengths apart', async () => {
    const { engine } = countingEngine()
    const shared = sharedEngine(engine)
    const lots = [records(1, 60, 2, 70), records(3, 80), records(), records(5)]
    const values = [0.1, 0.2, 0.3, 0.1]
    const sums = await Promise.all(lots.map((lot, at) => shared.clippedLotSum(lotOf(lot), state(values[at]!), 1)))
    for (const [at, lot] of lots.entries()) expect(sums[at]).toEqual(await alone(lot, values[at]!))
  })

  it('bears a record on which the engine fails: it counts nothing, and the others what they are', async () => {
    const { engine } = countingEngine()
    const shared = sharedEngine(engine)
    const faults: unknown[] = []
    const options = { onFault: (error: unknown) => void faults.push(error) }
    const [bad, good] = await Promise.all([
      shared.clippedLotSum(lotOf(records(1, 13)), state(0), 1, options),
      shared.clippedLotSum(lotOf(records(2, 3)), state(0), 1, options),
    ])
    expect(bad).toMatchObject({ leftOut: 1 })
    expect(good).toEqual(await alone(records(2, 3), 0))
    expect(faults).toHaveLength(1)
  })
})

/** No record of the first test is the unlucky one. */
function fix(record: EncodedRecord): EncodedRecord {
  return record.tokenIds[0] === 13 ? { tokenIds: new Int32Array(4).fill(14), label: 0 } : record
}
