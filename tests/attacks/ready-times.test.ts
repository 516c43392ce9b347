import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { RUN_B, sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { virtualClock } from '../../packages/testing/src/client/virtual-clock.ts'

/*
 * The attack: how long a site takes to tokenise its records follows their lengths, and is told by its order of
 * magnitude alone. A coordinator opens a second run while the records of the first are made ready: its records are made
 * behind those, and where their time counts from the second agreement, a moment of the coordinator's choice, the first
 * update of the second run tells on which side of that moment the first was done.
 */

const OFFERED_AFTER_MS = 1100
const FIRST_RUN = sampleManifest({ rounds: 1 })
const SECOND_RUN = sampleManifest({
  runId: RUN_B,
  rounds: 1,
  model: { name: 'none', maxTokens: 9 },
  expectedLotSize: 1,
  target: { epsilon: 0.1, delta: 1e-5 },
})

/** When the second run's first update arrives, where tokenising all records takes so long. */
async function releasedAfter(tokenisingMs: number): Promise<number> {
  using folder = temporaryFolder()
  const clock = virtualClock()
  const double = new CoordinatorDouble()
  const isSite = (text: string): boolean => text.startsWith('letter number')
  let [texts, offered] = [0, Promise.resolve<unknown>(undefined)]
  await using _ = await startSite({
    folder: folder.path,
    transport: loopbackTransport(double),
    releaseGrid: true,
    releaseClock: clock,
    records: 2,
    onText: async (text) => {
      if (!isSite(text)) return
      texts += 1
      // both runs tokenise two records
      clock.advance(texts % 2 === 1 ? OFFERED_AFTER_MS : tokenisingMs - OFFERED_AFTER_MS)
      if (texts !== 1) return
      offered = peer.offer(SECOND_RUN)
      await offered
    },
  })
  const peer = await double.peer()
  await peer.offer(FIRST_RUN)
  while (texts === 0) await setImmediate()
  await offered
  await peer.invite(double.invitation(SECOND_RUN, 0))
  await double.received(SECOND_RUN, 0, peer.clientId)
  return clock.now()
}

it('how long records take to be made ready is not told by a second run, whenever it is offered', async () => {
  const [quick, slow] = [await releasedAfter(OFFERED_AFTER_MS), await releasedAfter(1900)]
  expect(slow).toBe(quick)
})
