/**
 * What the time of one update tells of one record, sent when it is made and at the end of a public slot, and what slots
 * cost.
 *
 *   npm run bench:release-times -- [--json] [--trials N]
 *
 * Two neighbouring data sets: short records, with and without one of the greatest length. A lot of all of them is
 * computed by turns on the starter. AUC is the probability that a release with the target comes later than one without
 * it: 0.5 tells nothing.
 */
import { parseArgs } from 'node:util'
import { AwaitableValue } from '../apps/client/src/platform/awaitable-value.ts'
import { type ReleaseClock, releaseGrid, slotLength, systemClock } from '../apps/client/src/release/index.ts'
import { initialState } from '../packages/core/src/lora/index.ts'
import type { EncodedRecord } from '../packages/engine/src/datasets/index.ts'
import { recordsInMemory } from '../packages/engine/src/datasets/index.ts'
import { lotOfAll } from '../packages/engine/src/training/lots/index.ts'
import { createStarterEngine } from '../packages/starter/src/index.ts'
import { auc } from './auc.ts'

const { values: given } = parseArgs({
  options: { json: { type: 'boolean', default: false }, trials: { type: 'string', default: '40' } },
})
const trials = Number(given.trials)
const SHORT = { tokens: 16, records: 24 }
const MAX_TOKENS = 128

await using engine = await createStarterEngine({ rank: 8, alpha: 8, headMode: 'trained', classes: 2, threads: 1 })
const state = initialState(engine.schema, { seed: 'release-times' })
const recordOf = (tokens: number, n: number): EncodedRecord => {
  return { tokenIds: Int32Array.from({ length: tokens }, (_, t) => (131 * t + 977 * n) % 8000), label: n % 2 }
}
const without = Array.from({ length: SHORT.records }, (_, n) => recordOf(SHORT.tokens, n))
const withTarget = [...without, recordOf(MAX_TOKENS, 0)]

const manifest = {
  model: { name: 'starter', maxTokens: MAX_TOKENS },
  adapter: engine.schema,
  seed: 'release-times',
  clipNorm: 1,
  localSteps: 1,
} as never
const slotMs = await slotLength(manifest, { declaredRecords: withTarget.length, sampleRate: 1 }, engine, systemClock)

/** When a round is released, in milliseconds from its begin, with a slot of 0 or more. */
async function release(records: readonly EncodedRecord[], slot: number): Promise<number> {
  const waits: number[] = []
  const started = performance.now()
  // the wait is noted and not made: the bench need not sleep
  const clock: ReleaseClock = {
    now: () => performance.now() + waits.reduce((sum, wait) => sum + wait, 0),
    sleep: async (milliseconds) => void waits.push(milliseconds),
  }
  const resumeGate = new AwaitableValue<true>()
  resumeGate.set(true)
  const grid = releaseGrid({ clock, slotMs: slot, resumeGate, pausedMs: () => 0 })
  await engine.clippedLotSum(lotOfAll(recordsInMemory(records)), state, 1)
  const { signal } = new AbortController()
  const trained = performance.now() - started
  if (slot === 0) return trained
  await grid.endOfSlot(signal)
  // on the grid by construction; the number of slots is what can be seen
  return Math.ceil(trained / slot) * slot
}

const series = { made: { without: [], with: [] }, onGrid: { without: [], with: [] } } as Record<
  'made' | 'onGrid',
  Record<'without' | 'with', number[]>
>
await release(withTarget, 0)
for (let trial = 0; trial < trials; trial++) {
  for (const [kind, slot] of [
    ['made', 0],
    ['onGrid', slotMs],
  ] as const) {
    series[kind].without.push(await release(without, slot))
    series[kind].with.push(await release(withTarget, slot))
  }
}

const result = {
  trials,
  slotMs,
  trainedMs: median(series.made.without),
  withTargetMs: median(series.made.with),
  aucWhenMade: auc(series.made.with, series.made.without),
  aucOnGrid: auc(series.onGrid.with, series.onGrid.without),
  slotOverTraining: slotMs / median(series.made.with),
}
if (given.json) console.log(JSON.stringify(result))
else {
  console.log(`without the target ${result.trainedMs.toFixed(0)} ms, with it ${result.withTargetMs.toFixed(0)} ms`)
  console.log(
    `AUC of one release: ${result.aucWhenMade.toFixed(2)} when made, ${result.aucOnGrid.toFixed(2)} on the grid`,
  )
  console.log(`a slot is ${slotMs} ms, ${result.slotOverTraining.toFixed(1)} times this training`)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
