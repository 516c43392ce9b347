import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { seededSource } from '../../packages/core/src/random/index.ts'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { virtualClock } from '../../packages/testing/src/client/virtual-clock.ts'

/*
 * The attack: a coordinator that knows all records but one times a site's updates. A long record makes its lots slower,
 * so one update tells whether it is there, whatever the noise in it. Time is virtual here: a record costs as much as it
 * has tokens.
 */

const MS_PER_TOKEN = 0.5
const TRIALS = 12

interface Trial {
  readonly releaseGrid: boolean
  /** The first step of the round cannot be made durable: the round fails when it has been trained. */
  readonly fails?: boolean
}

/** The moments, in milliseconds from the invitation, at which updates, or failures, of several rounds arrive. */
async function releaseTimes(withTarget: boolean, { releaseGrid, fails = false }: Trial): Promise<number[]> {
  using folder = temporaryFolder()
  const clock = virtualClock()
  const manifest = sampleManifest({ rounds: TRIALS, model: { name: 'none', maxTokens: 200 } })
  const double = new CoordinatorDouble()
  const rows = Array.from({ length: 60 }, (_, n) => ({ text: `short ${n % 7}`, label: n % 2 === 0 ? 'ham' : 'spam' }))
  if (withTarget) rows.push({ text: 'a very long record '.repeat(20), label: 'ham' })
  const dataFile = join(folder.path, 'neighbours.jsonl')
  writeFileSync(dataFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  await using site = await startSite({
    folder: folder.path,
    transport: loopbackTransport(double),
    dataFile,
    releaseGrid,
    releaseClock: clock,
    // the same coins for the records that both sites have: what differs is the target alone
    lotSource: { ...seededSource('release-times', 'lots'), kind: 'os-csprng' },
    onLot: (records) => {
      for (const { tokenIds } of records) clock.advance(MS_PER_TOKEN * tokenIds.length)
      if (!fails) return
      const place = join(folder.path, 'state', 'checkpoints')
      rmSync(place, { recursive: true, force: true })
      writeFileSync(place, '')
    },
  })
  const times: number[] = []
  const peer = await double.peer()
  await peer.offer(manifest)
  for (let round = 0; round < TRIALS; round++) {
    const invited = clock.now()
    await peer.invite(double.invitation(manifest, round))
    if (fails) await double.got('round-failed', round + 1)
    else await double.received(manifest, round, peer.clientId)
    times.push(clock.now() - invited)
    await site.told(fails ? 'round-failed' : 'round-delivered', round + 1)
  }
  return times
}

/** The length of the slots, where texts take time to tokenise: the first round begins while they are. */
async function slotSeconds(longest: number): Promise<number> {
  using folder = temporaryFolder()
  const clock = virtualClock()
  const manifest = sampleManifest({ model: { name: 'none', maxTokens: 200 } })
  const double = new CoordinatorDouble()
  const rows = Array.from({ length: 60 }, (_, n) => ({ text: `text ${n}`, label: n % 2 === 0 ? 'ham' : 'spam' }))
  rows.push({ text: 'long '.repeat(longest), label: 'ham' })
  const dataFile = join(folder.path, 'data.jsonl')
  writeFileSync(dataFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  await using site = await startSite({
    folder: folder.path,
    transport: loopbackTransport(double),
    dataFile,
    releaseGrid: true,
    releaseClock: clock,
    onText: async (text) => {
      if (text.startsWith('text') || text.startsWith('long')) clock.advance(text.length)
      await setImmediate()
    },
    onLot: async () => {
      clock.advance(10)
      for (let turn = 0; turn < 40; turn++) await setImmediate() // an engine leaves the thread to others
    },
  })
  const peer = await double.peer()
  await peer.offer(manifest)
  await peer.invite(double.invitation(manifest, 0))
  return (await site.told('release-slot')).seconds
}

describe('how long slots are', () => {
  it('does not follow from the records that are tokenised when the engine is timed', async () => {
    expect(await slotSeconds(1000)).toBe(await slotSeconds(10))
  })
})

describe('how long a site takes for a round', () => {
  it('tells whether a record is there where updates leave when they are made', async () => {
    const [without, withTarget] = [
      await releaseTimes(false, { releaseGrid: false }),
      await releaseTimes(true, { releaseGrid: false }),
    ]
    expect(new Set([...without, ...withTarget]).size).toBeGreaterThan(2)
    expect(withTarget).not.toEqual(without)
  })

  it('tells nothing on the grid of public slots', async () => {
    const [without, withTarget] = [
      await releaseTimes(false, { releaseGrid: true }),
      await releaseTimes(true, { releaseGrid: true }),
    ]
    expect(withTarget).toEqual(without)
    expect(new Set(withTarget.slice(1)).size).toBe(1)
  })
  it('tells nothing of a round that fails, either', async () => {
    const trial = { releaseGrid: true, fails: true }
    const [without, withTarget] = [await releaseTimes(false, trial), await releaseTimes(true, trial)]
    expect(withTarget).toEqual(without)
    const atOnce = { releaseGrid: false, fails: true }
    expect(await releaseTimes(true, atOnce)).not.toEqual(await releaseTimes(false, atOnce))
  })
})
