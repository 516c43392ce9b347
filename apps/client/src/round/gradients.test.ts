import { initialState } from '@fedsvd/core/adapters'
import { MAX_MICRO_BATCH } from '@fedsvd/core/privacy'
import { describe, expect, it } from 'vitest'
import { fakeEngine } from '../../test-kit/fake-engine.ts'
import { sampleManifest } from '../../test-kit/sample-run.ts'
import { clippedLotSum } from './gradients.ts'

const { adapter, clipNorm } = sampleManifest()
const state = initialState(adapter, { seed: 'test' })
const lotOf = (size: number) =>
  Array.from({ length: size }, (_, index) => ({
    tokenIds: new Int32Array(1 + ((7 * index) % 13)),
    label: index % 3 === 0 ? 1 : 0,
  }))

describe('clippedLotSum', () => {
  it('is the sum of the whole lot, whatever the cuts', async () => {
    const size = 3 * MAX_MICRO_BATCH + 5
    const parts: number[] = []
    const engine = fakeEngine(adapter, (records) => void parts.push(records.length))
    const { gridSum: sum, norms } = await clippedLotSum(
      engine,
      lotOf(size),
      state,
      clipNorm,
      new AbortController().signal,
    )
    expect(parts).toEqual([MAX_MICRO_BATCH, MAX_MICRO_BATCH, MAX_MICRO_BATCH, 5])
    expect(sum).toEqual((await fakeEngine(adapter).clippedLotSum(lotOf(size), state, clipNorm)).gridSum)
    expect(norms).toHaveLength(size)
  })

  it('puts records of like length together', async () => {
    const lengths: number[] = []
    const engine = fakeEngine(
      adapter,
      (records) => void lengths.push(...records.map(({ tokenIds }) => tokenIds.length)),
    )
    await clippedLotSum(engine, lotOf(150), state, clipNorm, new AbortController().signal)
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b))
  })

  it('of an empty lot is zeros, of every trained tensor', async () => {
    const { gridSum: sum, norms } = await clippedLotSum(
      fakeEngine(adapter),
      [],
      state,
      clipNorm,
      new AbortController().signal,
    )
    expect(sum.map((values) => values.length)).toEqual([3, 4, 2])
    expect(norms).toEqual([])
    expect(sum.every((values) => values.every((value) => value === 0))).toBe(true)
  })

  it('stops between two micro-batches', async () => {
    const abort = new AbortController()
    let calls = 0
    const engine = fakeEngine(adapter, () => {
      calls += 1
      abort.abort(new Error('the round is closed'))
    })
    await expect(clippedLotSum(engine, lotOf(200), state, clipNorm, abort.signal)).rejects.toThrow(
      'the round is closed',
    )
    expect(calls).toBe(1)
  })
})
