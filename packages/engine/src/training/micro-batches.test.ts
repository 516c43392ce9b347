import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { microBatches, padBatch, shapeFor } from './micro-batches.ts'

describe('microBatches', () => {
  it('puts records of similar lengths together: three short ones, then two long ones', () => {
    expect([...microBatches([2, 9, 3, 8, 1], { maxRecords: 10, maxTokensPerMicroBatch: 18 })]).toEqual([
      [4, 0, 2],
      [3, 1],
    ])
  })

  it('gives a record that alone is above the limit a micro-batch of its own', () => {
    expect([...microBatches([100, 1], { maxRecords: 10, maxTokensPerMicroBatch: 50 })]).toEqual([[1], [0]])
  })

  it('of nothing is nothing', () => {
    expect([...microBatches([], { maxRecords: 10, maxTokensPerMicroBatch: 50 })]).toEqual([])
  })

  it('places every record exactly once, within both limits, the longest last', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 128 }), { maxLength: 300 })
    const limits = fc.record({
      maxRecords: fc.integer({ min: 1, max: 63 }),
      maxTokensPerMicroBatch: fc.integer({ min: 1, max: 2048 }),
    })
    fc.assert(
      fc.property(lengths, limits, (all, { maxRecords, maxTokensPerMicroBatch }) => {
        const batches = [...microBatches(all, { maxRecords, maxTokensPerMicroBatch })]
        expect(batches.flat().sort((a, b) => a - b)).toEqual(all.map((_, position) => position))
        for (const batch of batches) {
          const longest = Math.max(...batch.map((position) => all[position]!))
          expect(batch.length).toBeLessThanOrEqual(maxRecords)
          expect(batch.length === 1 || batch.length * longest <= maxTokensPerMicroBatch).toBe(true)
          expect(all[batch.at(-1)!]).toBe(longest)
        }
      }),
    )
  })
})

describe('padBatch', () => {
  const records = [[7], [1, 2, 3], [4, 5]].map((ids, label) => ({ tokenIds: Int32Array.from(ids), label }))

  it('fills rows up to the given length, and rows after the last record with a label that no class has', () => {
    const { tokenIds, labels } = padBatch([records[2]!, records[1]!], { rows: 3, length: 4 }, -1)
    expect(tokenIds).toEqual({ shape: [3, 4], data: Int32Array.of(4, 5, -1, -1, 1, 2, 3, -1, -1, -1, -1, -1) })
    expect(labels).toEqual({ shape: [3], data: Int32Array.of(2, 1, -1) })
  })
})

describe('shapeFor', () => {
  const limits = { positions: 100, maxTokensPerMicroBatch: 512, dimension: 1000 }

  it('pads lengths and targets to 16, as far as the model goes, and fills the places with rows', () => {
    expect(shapeFor(1, 0, limits)).toEqual({ rows: 32, length: 16, targets: 0 })
    expect(shapeFor(33, 17, limits)).toEqual({ rows: 10, length: 48, targets: 32 })
    expect(shapeFor(99, 100, limits)).toEqual({ rows: 5, length: 100, targets: 100 })
    expect(shapeFor(99, 1, { ...limits, maxTokensPerMicroBatch: 8 }).rows).toBe(1)
  })

  it('holds gradients of 64 MiB at most, or those of one record', () => {
    expect(shapeFor(16, 0, { ...limits, dimension: 2 ** 21 }).rows).toBe(8)
    expect(shapeFor(16, 0, { ...limits, dimension: 2 ** 26 }).rows).toBe(1)
  })
})
