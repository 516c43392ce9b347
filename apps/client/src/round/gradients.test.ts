import { initialState } from '@fedsvd/core/adapters'
import { MAX_MICRO_BATCH } from '@fedsvd/core/privacy'
import { type RecordSource, recordsInMemory } from '@fedsvd/engine/lots'
import { describe, expect, it } from 'vitest'
import { fakeEngine, type OnLot } from '../../test-kit/fake-engine.ts'
import { sampleManifest } from '../../test-kit/sample-run.ts'
import { clippedLotSum, type Lot } from './gradients.ts'

const { adapter, clipNorm } = sampleManifest()
const state = initialState(adapter, { seed: 'test' })
const recordsOf = (size: number) =>
  Array.from({ length: size }, (_, index) => ({
    tokenIds: new Int32Array(1 + ((7 * index) % 13)),
    label: index % 3 === 0 ? 1 : 0,
  }))
/** Every second record of twice as many. */
const lotOf = (size: number): Lot => ({
  records: recordsInMemory(recordsOf(2 * size)),
  members: Uint32Array.from({ length: size }, (_, index) => 2 * index),
})
const membersOf = ({ records, members }: Lot) => Array.from(members, (position) => records.read(position))
const sumOf = (lot: Lot, onLot: OnLot = () => {}, signal = new AbortController().signal) =>
  clippedLotSum(fakeEngine(adapter, onLot), lot, state, clipNorm, signal)

describe('clippedLotSum', () => {
  it('is the sum of the whole lot, whatever the cuts', async () => {
    const size = 3 * MAX_MICRO_BATCH + 5
    const parts: number[] = []
    const { gridSum, votes } = await sumOf(lotOf(size), (records) => void parts.push(records.length))
    expect(parts).toEqual([MAX_MICRO_BATCH, MAX_MICRO_BATCH, MAX_MICRO_BATCH, 5])
    const whole = await fakeEngine(adapter).clippedLotSum(membersOf(lotOf(size)), state, clipNorm)
    expect(gridSum).toEqual(whole.gridSum)
    expect(votes).toBe(size) // every norm is below the clip norm
  })

  it('puts records of like length together', async () => {
    const lengths: number[] = []
    const lot = lotOf(150)
    await sumOf(lot, (records) => void lengths.push(...records.map(({ tokenIds }) => tokenIds.length)))
    const inOrder = membersOf(lot).map(({ tokenIds }) => tokenIds.length)
    expect(lengths).toEqual(inOrder.sort((a, b) => a - b))
  })

  it('of an empty lot is zeros, of every trained tensor', async () => {
    const { gridSum, votes } = await sumOf(lotOf(0))
    expect(gridSum.map((values) => values.length)).toEqual([3, 4, 2])
    expect(gridSum.every((values) => values.every((value) => value === 0))).toBe(true)
    expect(votes).toBe(0)
  })

  it('stops between two micro-batches', async () => {
    const abort = new AbortController()
    let calls = 0
    const stopping = sumOf(
      lotOf(200),
      () => {
        calls += 1
        abort.abort(new Error('the round is closed'))
      },
      abort.signal,
    )
    await expect(stopping).rejects.toThrow('the round is closed')
    expect(calls).toBe(1)
  })

  it('says how far it is', async () => {
    const done: number[] = []
    const engine = fakeEngine(adapter)
    await clippedLotSum(engine, lotOf(130), state, clipNorm, new AbortController().signal, {
      onPart: (at) => void done.push(at),
    })
    expect(done).toEqual([MAX_MICRO_BATCH, 2 * MAX_MICRO_BATCH, 130])
  })

  it('never holds more records than one micro-batch, however large the lot', async () => {
    const size = 200_000
    let held = 0
    let most = 0
    const records: RecordSource = {
      size,
      lengthsOf: (positions) => positions.map((position) => 1 + (position % 50)),
      read: (position) => {
        held += 1
        most = Math.max(most, held)
        return { tokenIds: new Int32Array(1 + (position % 50)), label: 1 }
      },
    }
    const members = Uint32Array.from({ length: size }, (_, position) => position)
    let seen = 0
    const { votes } = await sumOf({ records, members }, (part) => {
      seen += part.length
      held -= part.length // the engine has them now, and lets go of them before the next part is read
    })
    expect({ seen, votes, most }).toEqual({ seen: size, votes: size, most: MAX_MICRO_BATCH })
  })
})
