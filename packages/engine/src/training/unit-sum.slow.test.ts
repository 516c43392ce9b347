import type { AdapterState } from '@fedsvd/core/lora'
import { initialState, trainedSpecs } from '@fedsvd/core/lora'
import { GRID_BITS, gridOf, squaredBound } from '@fedsvd/core/privacy'
import { createStarterEngine } from '@fedsvd/starter'
import { waveNamed } from '@fedsvd/testing/core/models'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recordsInMemory } from '../datasets/index.ts'
import { sumOfLot } from './lot-sum.ts'
import { lotOfAll } from './lots/index.ts'
import type { EncodedRecord, TrainingEngine } from './training-engine.ts'

const SPECS = [{ name: 'w', shape: [3] }]
const TERMS = { specs: SPECS, clipNorm: 1 }

/** Records that carry their gradient: token ids in thousandths; a label of -1 cannot be taken. */
const record = (gradient: readonly number[], label = 0): EncodedRecord => ({
  tokenIds: Int32Array.from(gradient, (value) => Math.round(1000 * value)),
  label,
})
const FAILS = record([1, 0, 0], 3)
const NOT_FINITE = { tokenIds: Int32Array.of(1, 1, 1), label: 7 }

async function sumOf(groups: readonly (readonly EncodedRecord[])[], combine?: 'mean' | 'sum') {
  const records = groups.flat()
  let next = 0
  const positions = groups.map((group) => group.map(() => next++))
  const lot = { ...lotOfAll(recordsInMemory(records, positions)), combine }
  return await sumOfLot(
    lot,
    TERMS,
    {
      accepted: (one) => ('label' in one && one.label >= 0 ? one : undefined),
      shapeOf: ({ tokenIds }) => ({ rows: 2, length: tokenIds[0]! % 3, targets: 0 }),
      gradients: async (batch) => {
        if (batch.some((one) => one === FAILS)) throw new RangeError('bad allocation')
        return batch.map((one) => [
          Float32Array.from(one.tokenIds, (value) => ('label' in one && one.label === 7 ? Number.NaN : value / 1000)),
        ])
      },
    },
    { onFault: () => {} },
  )
}

const integersOf = async (...args: Parameters<typeof sumOf>) => [...(await sumOf(...args)).gridSum[0]!]
const inGrid = (gradient: readonly number[]) => gradient.map((value) => Math.round(value / gridOf(1)))

describe('the clipped sum of units', () => {
  it('clips what the records of a unit come to together, and not each of them', async () => {
    // Three records of norm 0.5 in one direction: 1.5 together, clipped to 1; their mean is not clipped.
    const unit = [record([0.5, 0, 0]), record([0.5, 0, 0]), record([0.5, 0, 0])]
    const [clipped] = await integersOf([unit], 'sum')
    expect(clipped! * gridOf(1)).toBeCloseTo(1, 3)
    expect(clipped).toBeLessThanOrEqual(Math.sqrt(squaredBound({ dimension: 3, gridBits: GRID_BITS })))
    expect(await integersOf([unit], 'mean')).toEqual(inGrid([0.5, 0, 0]))
    // Records that cancel each other leave nothing to clip.
    expect(await integersOf([[record([5, 0, 0]), record([-5, 0, 0])]], 'sum')).toEqual([0, 0, 0])
  })

  it('moves by at most the bound when a unit joins, however many and large its records', async () => {
    const gradient = fc.array(fc.double({ min: -1e5, max: 1e5, noNaN: true }), { minLength: 3, maxLength: 3 })
    const unit = fc.array(
      gradient.map((values) => record(values)),
      { minLength: 1, maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(unit, { maxLength: 5 }),
        unit,
        fc.constantFrom('mean', 'sum'),
        async (others, joining, how) => {
          const before = await integersOf(others, how)
          const after = await integersOf([joining, ...others], how)
          const own = await integersOf([joining], how)
          const moved = after.map((value, i) => value - before[i]!)
          expect(moved).toEqual(own)
          expect(own.reduce((sum, value) => sum + value * value, 0)).toBeLessThanOrEqual(
            squaredBound({ dimension: 3, gridBits: GRID_BITS }),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  it('leaves out the unit of a record on which the model fails, and no other that is computed beside it', async () => {
    const [one, other] = [record([0.1, 0, 0]), record([0.4, 0, 0])]
    const sum = await sumOf([[one], [other, FAILS], [other]])
    expect([...sum.gridSum[0]!]).toEqual(await integersOf([[one], [other]]))
    expect([sum.records, sum.leftOut]).toEqual([3, 1])
  })

  it('leaves out a whole unit for one record that is not finite or cannot be taken, and counts units', async () => {
    const good = [record([0.1, 0, 0])]
    const sum = await sumOf([
      good,
      [record([0.3, 0, 0]), NOT_FINITE],
      [record([0.3, 0, 0]), record([0.1, 0, 0], -1), record([0.3, 0, 0])],
      [NOT_FINITE],
    ])
    expect([...sum.gridSum[0]!]).toEqual(inGrid([0.1, 0, 0]))
    expect([sum.records, sum.leftOut, sum.votes]).toEqual([4, 3, -2])
    expect(await integersOf([])).toEqual([0, 0, 0])
  })
})

describe('units on the engine', () => {
  let engine: TrainingEngine
  let state: AdapterState
  beforeAll(async () => {
    engine = await createStarterEngine({ rank: 4, alpha: 8, headMode: 'trained', classes: 2, threads: 1 })
    const initial = initialState(engine.schema, { seed: 'units' })
    state = {
      ...initial,
      b: initial.b.map((spec, index) => waveNamed(index, spec, 0.05)),
      head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.05)),
    }
  })
  afterAll(async () => await engine[Symbol.asyncDispose]())

  const LENGTHS = [40, 3, 17, 9, 1, 25, 100, 61, 5, 5, 33]
  const records = LENGTHS.map((length, n): EncodedRecord => {
    return { tokenIds: Int32Array.from({ length }, (_, t) => (7919 * n + 104_729 * t * (t + n)) % 8000), label: n % 2 }
  })
  const GROUPS = [[0, 3, 6], [1], [2, 4, 5, 7, 8], [9, 10]]
  const sumOfGroups = async (groups: readonly (readonly number[])[], combine: 'mean' | 'sum') =>
    (await engine.clippedLotSum({ ...lotOfAll(recordsInMemory(records, groups)), combine }, state, 1)).gridSum

  it.each(['mean', 'sum'] as const)('are the same integers together and alone (%s)', async (combine) => {
    const together = await sumOfGroups(GROUPS, combine)
    const alone: (readonly Float64Array[])[] = []
    for (const group of GROUPS) alone.push(await sumOfGroups([group], combine))
    for (const [t, tensor] of together.entries()) {
      expect(tensor).toEqual(tensor.map((_, i) => alone.reduce((sum, tensors) => sum + tensors[t]![i]!, 0)))
    }
  })

  it('of one record each are the sum over records', async () => {
    const single = await sumOfGroups(
      records.map((_, position) => [position]),
      'mean',
    )
    expect(single).toEqual((await engine.clippedLotSum(lotOfAll(recordsInMemory(records)), state, 1)).gridSum)
  })

  it('are the clip of their records’ gradients', async () => {
    const found = await engine.recordGradients(records, state)
    const [group] = GROUPS
    const gradient = trainedSpecs(engine.schema).map((_, t) =>
      Float64Array.from(found[group![0]!]!.gradient[t]!, (_, i) =>
        group!.reduce((sum, position) => sum + found[position]!.gradient[t]![i]!, 0),
      ),
    )
    const norm = Math.sqrt(gradient.reduce((sum, part) => sum + part.reduce((s, x) => s + x * x, 0), 0))
    const gridSum = await sumOfGroups([group!], 'sum')
    for (const [t, part] of gradient.entries()) {
      for (const [i, value] of part.entries()) {
        expect(Math.abs(gridSum[t]![i]! * gridOf(1) - value * Math.min(1, 1 / norm))).toBeLessThan(
          0.6 * gridOf(1) + 1e-6,
        )
      }
    }
  })
})
