import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { CoordinatorDouble, type Peer } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { virtualClock } from '../../packages/testing/src/client/virtual-clock.ts'

/*
 * The attack: how long a step takes depends on the records in it, so a coordinator asks, as often as it likes and while
 * a round is being trained, for whatever follows how far the training is. The grid of release times hides the end of it
 * only. A training that is slow and one that is quick must look the same.
 */

const manifest = sampleManifest({ model: { name: 'none', maxTokens: 64 } })

interface Watch {
  readonly double: CoordinatorDouble
  readonly peer: Peer
  /** Lets the training go on. */
  goOn(): void
}

/**
 * What a site sent until `look` was done: it is called in that step of its first round, or when the round waits for the
 * end of its slot.
 */
async function sentBy(step: number | 'slot', look: (watch: Watch) => Promise<void>): Promise<unknown[]> {
  using folder = temporaryFolder()
  const double = new CoordinatorDouble()
  const dataFile = join(folder.path, 'data.jsonl')
  const rows = Array.from({ length: 100 }, (_, n) => ({ text: `letter ${n}`, label: n % 2 === 0 ? 'ham' : 'spam' }))
  writeFileSync(dataFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  let lots = 0
  let isReached = false
  let [resolveReached, goOn] = [() => {}, () => {}]
  const atStep = new Promise<void>((resolve) => {
    resolveReached = resolve
  })
  const gone = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const reached = (): void => {
    isReached = true
    resolveReached()
  }
  const clock = virtualClock()
  await using _site = await startSite({
    folder: folder.path,
    transport: loopbackTransport(double),
    dataFile,
    releaseGrid: true,
    releaseClock: {
      ...clock,
      sleep: async (milliseconds, signal) => {
        if (step === 'slot' && lots === manifest.localSteps) reached()
        if (isReached && !signal.aborted) await Promise.race([gone, once(signal, 'abort')])
        await clock.sleep(milliseconds, signal)
      },
    },
    onLot: async (records) => {
      // timed for the slot, or made up
      if (records.every(({ tokenIds }) => tokenIds.length === manifest.model.maxTokens)) return
      lots += 1
      if (lots !== step) return
      reached()
      await gone
    },
  })
  const peer = await double.peer()
  await peer.offer(manifest)
  await peer.invite(double.invitation(manifest, 0))
  await atStep
  const before = double.sent.length
  await look({ double, peer, goOn }).finally(goOn)
  return double.sent.slice(before).map(({ kind, message }) => ({ kind, message: withoutHashes(message) }))
}

function withoutHashes(message: unknown): unknown {
  if (message instanceof Uint8Array) return 'bytes'
  const secret = /^(clientId|nonce|signature|instance|head)$/
  return JSON.parse(JSON.stringify(message, (name, value: unknown) => (secret.test(name) ? 'secret' : value)))
}

async function reportsAre(double: CoordinatorDouble, count: number): Promise<void> {
  while (double.reports.length < count) await setImmediate()
}

describe('how far the training of a round is', () => {
  it('is not told by the ledger of a report that the coordinator provokes', async () => {
    const look = async ({ double, peer }: Watch): Promise<void> => {
      const count = double.reports.length
      await peer.offer(manifest)
      await reportsAre(double, count + 1)
    }
    const [early, late] = [await sentBy(1, look), await sentBy(4, look)]
    expect(early.length).toBeGreaterThanOrEqual(2)
    expect(late).toEqual(early)
  })

  it('is not told by the ledger of a handshake that the coordinator provokes', async () => {
    const look = async ({ double, peer }: Watch): Promise<void> => {
      const count = double.reports.length
      peer.drop()
      await reportsAre(double, count + 1)
    }
    const [early, late] = [await sentBy(1, look), await sentBy(4, look)]
    expect(early.length).toBeGreaterThanOrEqual(2)
    expect(late).toEqual(early)
  })

  it.each([
    ['closed', (peer: Peer) => peer.roundClosed({ runId: manifest.runId, round: 0 })],
    [
      'paused and closed',
      (peer: Peer) => {
        peer.runPaused({ runId: manifest.runId })
        peer.roundClosed({ runId: manifest.runId, round: 0 })
      },
    ],
  ])('is not told by the ledger of a report at the moment at which the round was %s', async (_, end) => {
    const look = async ({ double, peer }: Watch): Promise<void> => {
      end(peer)
      for (let turn = 0; turn < 100; turn++) await setImmediate()
      const count = double.reports.length
      await peer.offer(manifest)
      await reportsAre(double, count + 1)
    }
    const [training, waiting] = [await sentBy(1, look), await sentBy('slot', look)]
    expect(training.length).toBeGreaterThanOrEqual(2)
    expect(waiting).toEqual(training)
  })

  it.each([
    ['closes', (peer: Peer) => peer.roundClosed({ runId: manifest.runId, round: 0 })],
    ['ends with its run', (peer: Peer) => peer.runEnded({ runId: manifest.runId, state: 'stopped' })],
  ])('is not told by what comes of a round that the coordinator %s', async (_, end) => {
    const look = async ({ double, peer, goOn }: Watch): Promise<void> => {
      end(peer)
      goOn()
      for (let turn = 0; turn < 100; turn++) await setImmediate() // whatever was at work has ended
      await peer.offer(manifest)
      await peer.invite(double.invitation(manifest, 0))
      await peer.invite(double.invitation(manifest, 1))
      await double.received(manifest, 1, peer.clientId)
    }
    const all = [await sentBy(1, look), await sentBy(4, look), await sentBy('slot', look)]
    expect(all[0]!.length).toBeGreaterThanOrEqual(6)
    expect(all[1]).toEqual(all[0])
    expect(all[2]).toEqual(all[0])
  })
})
