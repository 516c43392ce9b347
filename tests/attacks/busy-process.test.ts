import { describe, expect, it } from 'vitest'
import { endOfHold } from '../../apps/client/src/transport/answer-hold.ts'
import type { CoordinatorLink, LinkHandlers, Moment, Transport } from '../../apps/client/src/transport/index.ts'
import { CoordinatorDouble, refusal } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { type RunningSite, startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { type VirtualClock, virtualClock } from '../../packages/testing/src/client/virtual-clock.ts'

/*
 * The attack: the process of a site is busy for a moment at each end of a step. Whatever it sends at a time that
 * follows from when it noticed something tells a coordinator whether it was busy, and so how long a round trains; a
 * second run of the same coordinator is enough to ask with. Time is virtual here: the process is late by so much with
 * all that comes from its connection.
 */

const HOLD_MS = 500
const LATE_MS = [0, 1, 70]

interface Left {
  readonly kind: 'report' | 'state' | 'upload' | 'round-failed'
  readonly at: number
}

/** The connection of a site whose process is late, as the thread of a connection would keep it. */
class LateConnection {
  readonly clock = virtualClock()
  readonly double = new CoordinatorDouble()
  /** What left the site, and when. */
  readonly left: Left[] = []
  lateMs = 0
  /** What the coordinator does between the end of a round and its failure. */
  beforeFailure: () => Promise<unknown> = async () => {}
  /** When a message comes. */
  stamp = (): number => this.clock.now()
  /** When the coordinator answers what leaves now. */
  answersAt: (left: Left) => number = ({ at }) => at

  readonly transport: Transport = { ...loopbackTransport(this.double), open: (...given) => this.#open(...given) }

  #open(caller: Parameters<Transport['open']>[0], handlers: LinkHandlers): CoordinatorLink {
    const { clock, double } = this
    const stamped = <T, R>(handle: (message: T, at: number) => R) => {
      return (message: T): R => {
        const at = this.stamp()
        clock.advance(this.lateMs)
        return handle(message, at)
      }
    }
    const link = loopbackTransport(double).open(caller, {
      ...handlers,
      onOffer: stamped(handlers.onOffer),
      onInvitation: stamped(handlers.onInvitation),
    })
    return {
      ...link,
      report: (report, signal, moment) => this.#ask('report', moment, () => link.report(report, signal)),
      fetchState: (sha256, bytes, signal, moment) =>
        this.#ask('state', moment, () => link.fetchState(sha256, bytes, signal)),
      upload: (update, signal, moment) => this.#ask('upload', moment, () => link.upload(update, signal)),
      roundFailed: async (message, moment) => {
        await this.beforeFailure()
        this.#leaves('round-failed', moment)
        await link.roundFailed(message)
      },
      [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    }
  }

  async #ask<T>(kind: Left['kind'], moment: Moment | undefined, ask: () => Promise<T>): Promise<T> {
    const left = this.#leaves(kind, moment)
    advanceTo(this.clock, this.answersAt(left))
    if (moment !== undefined) moment.at = this.clock.now()
    this.clock.advance(this.lateMs)
    return await ask()
  }

  #leaves(kind: Left['kind'], moment: Moment | undefined): Left {
    const at = endOfHold(moment!.at, this.clock.now(), HOLD_MS)
    advanceTo(this.clock, at)
    this.left.push({ kind, at })
    return this.left.at(-1)!
  }
}

function advanceTo(clock: VirtualClock, at: number): void {
  clock.advance(Math.max(0, at - clock.now()))
}

const manifest = sampleManifest({ rounds: 9 })

/** A site that has delivered a first round, so that its slots are known. */
async function attacked(
  lateMs: number,
  attack: (connection: LateConnection, site: RunningSite, slotMs: number) => Promise<unknown>,
): Promise<unknown> {
  using folder = temporaryFolder()
  const connection = new LateConnection()
  const { double, clock, transport } = connection
  await using site = await startSite({
    folder: folder.path,
    transport,
    releaseGrid: true,
    releaseClock: clock,
    onLot: () => clock.advance(1),
  })
  const peer = await double.peer()
  await peer.offer(manifest)
  await peer.invite(double.invitation(manifest, 0))
  await double.received(manifest, 0, peer.clientId)
  await site.told('round-delivered')
  connection.lateMs = lateMs
  connection.left.length = 0
  return await attack(connection, site, 1000 * (await site.told('release-slot')).seconds)
}

/** The times of what left from the invitation on. */
async function timesOf(
  connection: LateConnection,
  change: (invitation: ReturnType<CoordinatorDouble['invitation']>) => object,
  until: () => Promise<unknown>,
): Promise<readonly Left[]> {
  const peer = await connection.double.peer()
  const invited = connection.clock.now()
  const invitation = connection.double.invitation(manifest, 1)
  await peer.invite({ ...invitation, ...change(invitation) })
  await until()
  return connection.left.map(({ kind, at }) => ({ kind, at: at - invited }))
}

describe('how late the process of a site is, is not told by', () => {
  it.each<[string, (connection: LateConnection, site: RunningSite, slotMs: number) => Promise<unknown>]>([
    [
      'the failure of a round whose state is not there',
      async (connection, site) =>
        await timesOf(
          connection,
          ({ state }) => ({ state: { ...state, sha256: '0'.repeat(64) } }),
          () => site.told('round-failed'),
        ),
    ],
    [
      'the update of a round',
      async (connection, site) =>
        await timesOf(
          connection,
          () => ({}),
          () => site.told('round-delivered', 2),
        ),
    ],
    [
      'the failure of a round whose update is refused just before the end of a slot',
      async (connection, site, slotMs) => {
        let begun = 0
        connection.double.refuseUpload = () => refusal('UPDATE_STALE')
        connection.answersAt = ({ kind, at }) => {
          if (kind === 'report' && begun === 0) begun = at
          return kind === 'upload' ? begun + slotMs * Math.ceil((at - begun) / slotMs) - 1 : at
        }
        return await timesOf(
          connection,
          () => ({}),
          () => site.told('round-failed'),
        )
      },
    ],
    [
      'an upload whose token is not taken, and another token just before its next time',
      async (connection, site) => {
        const { double, clock, lateMs } = connection
        const peer = await double.peer()
        connection.lateMs = 0
        await peer.invite({ ...double.invitation(manifest, 1), uploadToken: 'another' })
        await double.got('upload', 2) // the first one is of the round before
        clock.advance(HOLD_MS - 0.5)
        connection.lateMs = lateMs
        const invited = clock.now()
        await peer.invite(double.invitation(manifest, 1))
        await site.told('round-delivered', 2)
        return connection.left.at(-1)!.at - invited
      },
    ],
  ])('%s', async (_, attack) => {
    const seen: unknown[] = []
    for (const lateMs of LATE_MS) seen.push(await attacked(lateMs, attack))
    expect(seen).toEqual(seen.map(() => seen[0]))
  })
})

it('how many offers it has answered by now is not told by which of them are too many', async () => {
  const codes = async (isBusy: boolean): Promise<unknown> =>
    await attacked(0, async (connection) => {
      const peer = await connection.double.peer()
      const came = connection.clock.now()
      connection.stamp = () => came
      const offer = async () => (await peer.offer(manifest)).accepted
      const first = Array.from({ length: 16 }, offer)
      if (!isBusy) await Promise.all(first)
      const oneMore = await offer()
      await Promise.all(first)
      connection.stamp = () => connection.clock.now() + HOLD_MS
      return [oneMore, await offer()]
    })
  expect(await codes(true)).toEqual([false, true])
  expect(await codes(false)).toEqual([false, true])
})

it('that a round has failed is not told before its failure leaves, by what becomes of another invitation', async () => {
  const kinds = await attacked(0, async (connection, site) => {
    const { double } = connection
    const peer = await double.peer()
    const invitation = double.invitation(manifest, 1)
    const nowhere = { ...invitation, state: { ...invitation.state, sha256: '0'.repeat(64) } }
    connection.beforeFailure = () => peer.invite(nowhere)
    await peer.invite(nowhere)
    await double.got('round-failed')
    await site.told('round-failed')
    return connection.left.map(({ kind }) => kind)
  })
  expect(kinds).toEqual(['state', 'round-failed'])
})
