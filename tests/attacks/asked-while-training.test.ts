import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clientConfig, startClient } from '../../apps/client/src/index.ts'
import { endOfHold } from '../../apps/client/src/transport/answer-hold.ts'
import {
  ANSWER_HOLD_MS,
  type CoordinatorLink,
  type Moment,
  type Transport,
} from '../../apps/client/src/transport/index.ts'
import { seededSource } from '../../packages/core/src/random/index.ts'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { block, probingCoordinator } from '../../packages/testing/src/client/probing-coordinator.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { sampleSite } from '../../packages/testing/src/client/site.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { type VirtualClock, virtualClock } from '../../packages/testing/src/client/virtual-clock.ts'

/*
 * The attack: while a site trains, its process is busy for moments that follow the records, and everything that it says
 * is late by as much. A coordinator asks often, and reads it off the delays of the answers, or off the ends of slots
 * that pauses and offers have moved.
 */

const ANSWER_MS = 5

interface Watch {
  /** When the coordinator asks next. */
  readonly schedule: { at: number }
  /** How late the process notices something. */
  late(): number
  left(what: string, at: number): void
}

/** A transport as the thread of a connection is, in virtual time: it notes when each message leaves. */
function stampedTransport(double: CoordinatorDouble, clock: VirtualClock, { schedule, late, left }: Watch): Transport {
  const transport = loopbackTransport(double)
  const leave = (what: string, cause: number | undefined): number => {
    const at = cause === undefined ? clock.now() : endOfHold(cause, clock.now(), ANSWER_HOLD_MS)
    left(what, at)
    return at
  }
  const asked = async <T>(what: string, answer: (at: number) => Promise<T>): Promise<T> => {
    const at = schedule.at
    clock.advance(late())
    try {
      return await answer(at)
    } finally {
      leave(what, at)
    }
  }
  const sent = async <T>(what: string, moment: Moment | undefined, send: () => Promise<T>): Promise<T> => {
    clock.advance(late())
    const at = leave(what, moment?.at)
    if (moment !== undefined) moment.at = at + ANSWER_MS
    return await send()
  }
  return {
    ...transport,
    open: (caller, handlers): CoordinatorLink => {
      const link = transport.open(caller, {
        ...handlers,
        onConnected: (way) => handlers.onConnected(way, clock.now()),
        onOffer: (offer) => asked('answer to an offer', (at) => handlers.onOffer(offer, at)),
        onInvitation: (invitation) => asked('answer to an invitation', (at) => handlers.onInvitation(invitation, at)),
        onRunPaused: (message) => {
          const { at } = schedule
          clock.advance(late())
          handlers.onRunPaused(message, at)
        },
      })
      return {
        ...link,
        report: (report, signal, moment) => sent('report', moment, () => link.report(report, signal)),
        fetchState: (sha256, bytes, signal, moment) =>
          sent('request for a state', moment, () => link.fetchState(sha256, bytes, signal)),
        upload: (update, signal, moment) => sent('update', moment, () => link.upload(update, signal)),
        roundFailed: (message, moment) => {
          leave('failure', moment?.at)
          return link.roundFailed(message)
        },
        [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
      }
    },
  }
}

/**
 * What leaves a site in two rounds of a run, and when; the second is paused in its training, and then the run may be
 * offered again.
 */
async function timesOf(late: () => number, { isOfferedAgain = true } = {}): Promise<readonly string[]> {
  using folder = temporaryFolder()
  const clock = virtualClock()
  const manifest = sampleManifest({ rounds: 2, model: { name: 'none', maxTokens: 64 } })
  const double = new CoordinatorDouble()
  const dataFile = join(folder.path, 'data.jsonl')
  const rows = Array.from({ length: 100 }, (_, n) => ({ text: `letter ${n}`, label: n % 2 === 0 ? 'ham' : 'spam' }))
  writeFileSync(dataFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const times: string[] = []
  const schedule = { at: 0 }
  /** The coordinator asks at a moment of its own choice. */
  const ask = async (at: number, question: () => unknown): Promise<void> => {
    schedule.at = at
    clock.advance(Math.max(0, at - clock.now()))
    await question()
  }
  const transport = stampedTransport(double, clock, {
    schedule,
    late: () => (schedule.at === 0 ? 0 : late()), // the engine is timed when nothing else is at work
    left: (what, at) => times.push(`${what} at ${at.toFixed(3)}`),
  })
  let lots = 0
  let inSecondRound = async (): Promise<void> => {}
  await using site = await startSite({
    folder: folder.path,
    transport,
    dataFile,
    releaseGrid: true,
    releaseClock: clock,
    lotSource: { ...seededSource('busy', 'lots'), kind: 'os-csprng' },
    onLot: async (records) => {
      if (records.every(({ tokenIds }) => tokenIds.length === manifest.model.maxTokens)) return // timed for the slot
      lots += 1
      if (lots === manifest.localSteps + 1) await inSecondRound()
    },
  })
  const peer = await double.peer()
  await ask(0, () => peer.offer(manifest))
  await ask(5000, () => peer.invite(double.invitation(manifest, 0)))
  await site.told('round-delivered')
  const second = double.invitation(manifest, 1)
  inSecondRound = async () => {
    await ask(12_000, () => peer.runPaused({ runId: manifest.runId }))
    await ask(13_000, () => peer.invite(second))
    if (isOfferedAgain) await ask(14_000, () => peer.offer(manifest))
    else clock.advance(14_000 - clock.now())
  }
  await ask(10_000, () => peer.invite(second))
  await site.told('round-delivered', 2)
  return times
}

describe('a process that is busy', () => {
  it('says everything at the same moments as one that is not', async () => {
    const idle = await timesOf(() => 0)
    let seed = 1
    const busy = await timesOf(() => {
      seed = (48271 * seed) % 2147483647
      return (90 * seed) / 2147483647
    })
    expect(idle.filter((line) => line.startsWith('update'))).toHaveLength(2)
    expect(idle.length).toBeGreaterThan(8)
    expect(busy).toEqual(idle)
  })

  it('has its slots stand still for an offer until the answer leaves', async () => {
    const lastOf = (times: readonly string[]): number => Number(times.at(-1)!.replace('update at ', ''))
    const [without, offered] = [await timesOf(() => 0, { isOfferedAgain: false }), await timesOf(() => 0)]
    expect(lastOf(offered) - lastOf(without)).toBe(ANSWER_HOLD_MS)
  })

  it('is a site as it is started by default: its thread answers probes, and answers are kept back', async () => {
    using folder = temporaryFolder()
    await using coordinator = await probingCoordinator()
    const { releaseGrid: _, ...settings } = sampleSite(folder.path, coordinator.url)
    const starting = coordinator.connected()
    await using _node = await startClient(clientConfig(settings))
    await starting
    expect(await coordinator.blockUntilAnswered(10, 20_000)).toBe(true)
    const invitation = {
      runId: '5b7e3f0a-3d51-4f0e-9c39-0d5f0d2f6b11',
      round: 0,
      basis: 0,
      state: { sha256: 'a'.repeat(64), bytes: 10 },
      uploadToken: 'token',
      deadline: '2100-01-01T00:00:00.000Z',
    }
    const answered = coordinator.ask('invite', invitation)
    block(150)
    expect(await answered).toBeGreaterThanOrEqual(ANSWER_HOLD_MS)
  })
})
