import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { microBatches, padBatch } from './micro-batches.ts'

describe('microBatches', () => {
  it('puts records of similar lengths together: three short ones, then two long ones', () => {
    expect([...microBatches([2, 9, 3, 8, 1], { maxRecords: 10, maxPlaces: 18 })]).toEqual([
      [4, 0, 2],
      [3, 1],
    ])
  })

  it('gives a record that alone is above the limit a micro-batch of its own', () => {
    expect([...microBatches([100, 1], { maxRecords: 10, maxPlaces: 50 })]).toEqual([[1], [0]])
  })

  it('of nothing is nothing', () => {
    expect([...microBatches([], { maxRecords: 10, maxPlaces: 50 })]).toEqual([])
  })

  it('places every record exactly once, within both limits, the longest last', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 128 }), { maxLength: 300 })
    const limits = fc.record({
      maxRecords: fc.integer({ min: 1, max: 63 }),
      maxPlaces: fc.integer({ min: 1, max: 2048 }),
    })
    fc.assert(
      fc.property(lengths, limits, (all, { maxRecords, maxPlaces }) => {
        const batches = [...microBatches(all, { maxRecords, maxPlaces })]
        expect(batches.flat().sort((a, b) => a - b)).toEqual(all.map((_, position) => position))
        for (const batch of batches) {
          const longest = Math.max(...batch.map((position) => all[position]!))
          expect(batch.length).toBeLessThanOrEqual(maxRecords)
          expect(batch.length === 1 || batch.length * longest <= maxPlaces).toBe(true)
          expect(all[batch.at(-1)!]).toBe(longest)
        }
      }),
    )
  })
})

describe('padBatch', () => {
  const records = [[7], [1, 2, 3], [4, 5]].map((ids, label) => ({ tokenIds: Int32Array.from(ids), label }))
  const padding = { paddingId: -1, maxTokens: 4 }

  it('fills rows up to the longest member, rounded up as far as the model goes', () => {
    const { tokenIds, labels } = padBatch(records, [2, 1], padding)
    expect(tokenIds).toEqual({ shape: [2, 4], data: Int32Array.of(4, 5, -1, -1, 1, 2, 3, -1) })
    expect(labels).toEqual({ shape: [2], data: Int32Array.of(2, 1) })
    expect(padBatch(records, [2, 1], { ...padding, maxTokens: 128 }).tokenIds.shape).toEqual([2, 16])
  })

  it('gives a single record a blank row for company, with a label that no class has', () => {
    const { tokenIds, labels } = padBatch(records, [0], padding)
    expect(tokenIds.data).toEqual(Int32Array.of(7, -1, -1, -1, -1, -1, -1, -1))
    expect(labels.data).toEqual(Int32Array.of(0, -1))
  })
})
