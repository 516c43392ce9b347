import { describe, expect, it } from 'vitest'
import type { Transport } from '../../apps/client/src/transport/index.ts'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { RUN_B, sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { type VirtualClock, virtualClock } from '../../packages/testing/src/client/virtual-clock.ts'

/*
 * The attack: an update leaves at the end of the slot that is under way when its training ends. A coordinator that is
 * slow with what a site waits for inside of the slot (the published state, the answer to a ledger report) chooses how
 * much of the slot is left for the training, and learns by the slot of the release whether it took longer than that.
 */

const manifest = sampleManifest({ model: { name: 'none', maxTokens: 64 } })

/** A coordinator that takes its time. */
interface Delays {
  readonly stateMs?: number
  readonly reportMs?: number
}

function slowTransport(double: CoordinatorDouble, clock: VirtualClock, delays: () => Delays): Transport {
  const transport = loopbackTransport(double)
  return {
    ...transport,
    open: (caller, handlers) => {
      const link = transport.open(caller, handlers)
      return {
        ...link,
        fetchState: async (...given) => {
          clock.advance(delays().stateMs ?? 0)
          return await link.fetchState(...given)
        },
        report: async (...given) => {
          clock.advance(delays().reportMs ?? 0)
          return await link.report(...given)
        },
        [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
      }
    },
  }
}

/** When an update arrives, from its invitation on, less what the coordinator has waited; and the length of a slot. */
async function releasedAfter(trainingMs: number, delaysIn: (slotMs: number) => Delays): Promise<[number, number]> {
  using folder = temporaryFolder()
  const clock = virtualClock()
  const double = new CoordinatorDouble()
  let delays: Delays = {}
  let isTraining = false
  await using site = await startSite({
    folder: folder.path,
    transport: slowTransport(double, clock, () => delays),
    releaseGrid: true,
    releaseClock: clock,
    onLot: () => clock.advance(isTraining ? trainingMs / manifest.localSteps : 1),
  })
  const peer = await double.peer()
  await peer.offer(manifest)
  await peer.invite(double.invitation(manifest, 0)) // times the engine
  await double.received(manifest, 0, peer.clientId)
  await site.told('round-delivered')
  const slotMs = 1000 * (await site.told('release-slot')).seconds
  delays = delaysIn(slotMs)
  isTraining = true
  const invited = clock.now()
  await peer.invite(double.invitation(manifest, 1))
  await double.received(manifest, 1, peer.clientId)
  const reports = 2 // before the training, and before the update leaves
  const waited = (delays.stateMs ?? 0) + reports * (delays.reportMs ?? 0)
  return [clock.now() - invited - waited, slotMs]
}

describe('how long a round trains', () => {
  it.each<[string, (slotMs: number) => Delays]>([
    ['the published state', (slotMs) => ({ stateMs: slotMs - 60 })],
    ['the answer to a report', (slotMs) => ({ reportMs: slotMs - 60 })],
  ])('is not told by the slot of its update, however late %s comes', async (_, delaysIn) => {
    const [[quick, slotMs], [slow]] = [await releasedAfter(10, delaysIn), await releasedAfter(100, delaysIn)]
    expect(slow).toBe(quick)
    expect(quick).toBe(slotMs)
  })
})

/** The same where another run is offered in the middle of the training, whose answer takes so long. */
async function releasedBesideAnOffer(trainingMs: number): Promise<[number, number]> {
  using folder = temporaryFolder()
  const clock = virtualClock()
  const double = new CoordinatorDouble()
  let offer: (() => Promise<unknown>) | undefined
  let [isTraining, answerMs] = [false, 0]
  await using site = await startSite({
    folder: folder.path,
    transport: loopbackTransport(double),
    releaseGrid: true,
    releaseClock: clock,
    onText: (text) => {
      if (text.startsWith('The quick brown fox')) clock.advance(answerMs / 2) // twice, as calibrating its noise does
    },
    onLot: async (records) => {
      const isMadeUp = records.every(({ tokenIds }) => tokenIds.length === manifest.model.maxTokens)
      clock.advance(isTraining && !isMadeUp ? trainingMs / manifest.localSteps : 1)
      const ask = isTraining && !isMadeUp ? offer : undefined
      if (ask !== undefined) offer = undefined
      await ask?.()
    },
  })
  const peer = await double.peer()
  await peer.offer(manifest)
  await peer.invite(double.invitation(manifest, 0)) // times the engine
  await double.received(manifest, 0, peer.clientId)
  await site.told('round-delivered')
  const slotMs = 1000 * (await site.told('release-slot')).seconds
  answerMs = slotMs - 60
  isTraining = true
  let answered = 0
  offer = async () => {
    const asked = clock.now()
    await peer.offer(sampleManifest({ runId: RUN_B, expectedLotSize: 1, target: { epsilon: 0.1, delta: 1e-5 } }))
    answered = clock.now() - asked
  }
  const invited = clock.now()
  await peer.invite(double.invitation(manifest, 1))
  await double.received(manifest, 1, peer.clientId)
  expect(answered).toBeGreaterThanOrEqual(answerMs)
  return [clock.now() - invited, slotMs]
}

it('is not told by an offer of another run, whose answer takes the time of the training', async () => {
  const [[quick], [slow]] = [await releasedBesideAnOffer(10), await releasedBesideAnOffer(100)]
  expect(slow).toBe(quick)
})
