import { mostMembers } from '@fedsvd/core/privacy'
import { type EncodedRecord, IGNORED } from '@fedsvd/engine/datasets'
import { FAKE_ROWS, fakeEngine } from '@fedsvd/testing/client/fake-engine'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { virtualClock } from '@fedsvd/testing/client/virtual-clock'
import { describe, expect, it } from 'vitest'
import { slotLength } from './slot-length.ts'

const MS_PER_TOKEN = 2
const TERMS = { declaredRecords: 100, sampleRate: 0.1 }

/** The slot of a run at a site whose engine takes so long for each token; `busy` of its lots take twice as long. */
async function slotOf(changes: Parameters<typeof sampleManifest>[0] = {}, busy: readonly number[] = []) {
  const manifest = sampleManifest({ model: { name: 'none', maxTokens: 8 }, ...changes })
  const clock = virtualClock()
  let records = 0
  const engine = fakeEngine(manifest.adapter, (batch) => {
    const lot = 1 + Math.floor(records / (2 * FAKE_ROWS))
    records += batch.length
    const tokens = batch.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
    clock.advance(MS_PER_TOKEN * tokens * (busy.includes(lot) ? 2 : 1))
  })
  return await slotLength(manifest, TERMS, engine, clock)
}

/** What it should be: half as much again as the largest likely lots of the longest records, 20 ms a step and 200 ms. */
const slotFor = (records: number, msPerRecord: number, steps: number) =>
  Math.ceil(1.5 * (records * msPerRecord + 20 * steps + 200))

describe('the length of a slot', () => {
  it('covers the lots that are hardly ever exceeded, each record at the greatest length', async () => {
    for (const localSteps of [1, 5]) {
      const members = mostMembers({ ...TERMS, steps: localSteps })
      expect(await slotOf({ localSteps })).toBe(slotFor(members, 8 * MS_PER_TOKEN, localSteps))
    }
    const members = mostMembers({ ...TERMS, steps: 5 })
    expect(await slotOf({ model: { name: 'none', maxTokens: 64 } })).toBe(slotFor(members, 64 * MS_PER_TOKEN, 5))
  })

  it('covers the most records that persons may have, where they are the units', async () => {
    const members = mostMembers({ ...TERMS, steps: 5 })
    const unit = { kind: 'person', maxRecords: 3, combine: 'mean' } as const
    expect(await slotOf({ unit })).toBe(slotFor(3 * members, 8 * MS_PER_TOKEN, 5))
  })

  it('follows the slowest of three trials, whichever it is, and not the first lot of all', async () => {
    const [usual, slow] = [await slotOf(), await slotOf({}, [2, 3, 4])]
    expect(slow).toBeGreaterThan(usual)
    expect(await slotOf({}, [1])).toBe(usual)
    for (const trial of [2, 3, 4]) expect(await slotOf({}, [trial])).toBe(slow)
  })

  it.each([
    ['token-classification', [0, 0, 0, 0]],
    ['causal-lm', [0, 0, 0, IGNORED]],
    ['instruction-tuning', [0, 0, 0, IGNORED]],
  ] as const)('is timed with a target wherever %s has one', async (task, targets) => {
    const manifest = sampleManifest({ task, model: { name: 'none', maxTokens: 4 } })
    const seen: EncodedRecord[] = []
    const engine = fakeEngine(manifest.adapter, (batch) => void seen.push(...batch))
    await slotLength(manifest, TERMS, engine, virtualClock())
    expect(seen[0]).toEqual({ tokenIds: new Int32Array(4), targets: Int32Array.from(targets) })
  })
})
