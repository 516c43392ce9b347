import { MovableClock } from '@fedsvd/testing/server/movable-clock'
import { trackedRun } from '@fedsvd/testing/server/tracked-run'
import { until } from '@fedsvd/testing/server/until'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { RunFollower } from './follow-runs.ts'
import { type Tracker, TrackerRefused } from './tracker.ts'

/** A follower of a tracker whose `bring` is given, and the lines that it logs. */
function follow(bring: Tracker['bring'], factsOf?: () => Promise<undefined>) {
  const lines: string[] = []
  const forgotten: string[] = []
  const tracker: Tracker = {
    name: 'double',
    bring,
    forget: (runId) => void forgotten.push(runId),
    async [Symbol.asyncDispose]() {},
  }
  const clock = new MovableClock()
  const log = pino(
    { level: 'info' },
    { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
  )
  const run = trackedRun()
  const options = { tracker, clock, log, leastIntervalMs: 10_000, factsOf: factsOf ?? (async () => run.facts()) }
  return { follower: new RunFollower(options), lines, forgotten, clock, runId: run.runId }
}

const never = new Promise<void>(() => {})

describe('following runs', () => {
  it('tells of many changes at once, and not more often than it should', async () => {
    let told = 0
    const { follower, clock, runId } = follow(async () => {
      told += 1
    })
    for (let change = 0; change < 100; change += 1) follower.changed(runId)
    await until('the first', () => told === 1)
    for (let change = 0; change < 100; change += 1) follower.changed(runId)
    expect(told).toBe(1)
    clock.advance(10_000)
    await until('the second', () => told === 2)
    await follower[Symbol.asyncDispose]()
    expect(told).toBe(2)
  })

  it('says once that a tracker is away and once that it is back, and tells all that it missed', async () => {
    let [isAway, tried, told] = [true, 0, 0]
    const { follower, clock, lines, forgotten, runId } = follow(async () => {
      tried += 1
      if (isAway) throw new Error('connect ECONNREFUSED')
      told += 1
    })
    follower.changed(runId)
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      await until(`attempt ${attempt}`, () => tried === attempt)
      await new Promise(setImmediate)
      clock.advance(300_000)
    }
    isAway = false
    await until('attempt 5', () => {
      clock.advance(300_000)
      return told === 1
    })
    expect(lines).toEqual(['the tracker cannot be told; trying again', 'the tracker answers again'])
    expect(new Set(forgotten)).toEqual(new Set([runId]))
    await follower[Symbol.asyncDispose]()
  })

  it('leaves alone a run that the tracker refuses, and goes on with others', async () => {
    const told: string[] = []
    let isRefusing = true
    const { follower, lines, runId } = follow(async (facts) => {
      told.push(facts.runId)
      if (isRefusing) throw new TrackerRefused('deleted')
    })
    follower.changed(runId)
    await until('the refusal', () => lines.length === 1)
    isRefusing = false
    follower.changed(runId)
    await follower[Symbol.asyncDispose]()
    expect(told).toEqual([runId])
    expect(lines).toEqual(['the tracker takes no more of a run'])
  })

  it('ends within a moment, however long a tracker takes, and tells the last change before', async () => {
    const hanging = follow(() => never)
    hanging.follower.changed(hanging.runId)
    const ending = hanging.follower[Symbol.asyncDispose]()
    await new Promise(setImmediate)
    hanging.clock.advance(3000)
    await ending
    let told = 0
    const quick = follow(async () => {
      told += 1
    })
    quick.follower.changed(quick.runId)
    await until('the first', () => told === 1)
    quick.follower.changed(quick.runId)
    await quick.follower[Symbol.asyncDispose]() // without waiting for the next turn
    expect(told).toBe(2)
    quick.follower.changed(quick.runId)
    expect(told).toBe(2)
  })
})
