import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { CoordinatorDouble, type Peer, refusal } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { virtualClock } from '../../packages/testing/src/client/virtual-clock.ts'

/*
 * The attack: a coordinator ends a round from outside at a moment of its choice, and invites to it again when the site
 * has been started anew. Whether the state is fetched once more, and what is reserved, told whether the training had
 * ended by that moment. It need not wait for a restart: it can turn the site away, and a service manager starts it
 * again.
 */

const manifest = sampleManifest({ model: { name: 'none', maxTokens: 64 } })

/** Whether a round is in training, or waits for the end of its slot, when it is ended. */
type Moment = 'training' | 'slot'

/** What a site sends after a restart, where its round was ended at that moment before. */
async function sentAfterRestart(moment: Moment, end: (peer: Peer, double: CoordinatorDouble) => void) {
  using folder = temporaryFolder()
  const double = new CoordinatorDouble()
  const clock = virtualClock()
  let lots = 0
  let [reached, goOn] = [() => {}, () => {}]
  const atMoment = new Promise<void>((resolve) => {
    reached = resolve
  })
  const gone = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const start = () =>
    startSite({
      folder: folder.path,
      transport: loopbackTransport(double),
      releaseGrid: true,
      releaseClock: {
        ...clock,
        sleep: async (milliseconds, signal) => {
          if (moment === 'slot' && lots === manifest.localSteps) {
            reached()
            if (!signal.aborted) await Promise.race([gone, once(signal, 'abort')])
          }
          await clock.sleep(milliseconds, signal)
        },
      },
      onLot: async (records) => {
        if (records.every(({ tokenIds }) => tokenIds.length === manifest.model.maxTokens)) return // made up
        lots += 1
        if (moment !== 'training' || lots !== 2) return
        reached()
        await gone
      },
    })
  {
    await using _site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await atMoment
    end(peer, double)
    goOn()
    for (let turn = 0; turn < 100; turn++) await setImmediate()
  }
  double.sent.length = 0
  await using site = await start()
  const peer = await double.peer()
  await peer.offer(manifest)
  const reply = await peer.invite(double.invitation(manifest, 0))
  if (reply.accepted) await site.told('round-delivered')
  return double.sent.map(({ kind, message }) => ({ kind, message: withoutSecrets(message) }))
}

function withoutSecrets(message: unknown): unknown {
  if (message instanceof Uint8Array) return 'bytes'
  const secret = /^(clientId|nonce|signature|instance|head)$/
  return JSON.parse(JSON.stringify(message, (name, value: unknown) => (secret.test(name) ? 'secret' : value)))
}

const turnAway = (peer: Peer, double: CoordinatorDouble): void => {
  const { authenticate } = double
  double.authenticate = () => {
    double.authenticate = authenticate
    throw refusal('FORBIDDEN')
  }
  peer.drop()
}

describe('how far the training of a round was', () => {
  it.each<[string, (peer: Peer, double: CoordinatorDouble) => void]>([
    ['was closed', (peer) => peer.roundClosed({ runId: manifest.runId, round: 0 })],
    ['ended with its run', (peer) => peer.runEnded({ runId: manifest.runId, state: 'stopped' })],
    ['ended as its site was turned away', turnAway],
  ])('is not told after a restart by a round that %s', async (_, end) => {
    const [training, slot] = [await sentAfterRestart('training', end), await sentAfterRestart('slot', end)]
    expect(slot).toEqual(training)
    expect(slot.at(-1)).toMatchObject({ kind: 'invite-reply', message: { accepted: false } })
  })
})
