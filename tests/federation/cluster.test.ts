import { isDeepStrictEqual } from 'node:util'
import { io, type Socket } from 'socket.io-client'
import { describe, expect, it } from 'vitest'
import { eventOfRound } from '../../packages/core/src/accounting/index.ts'
import type { OperatorEvents, RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import {
  type CoordinatorProcess,
  enrolClients,
  expectedAdapter,
  type FakeClient,
  type FakeClientOptions,
  gate,
  persistently,
  postgresAnswers,
  type TestCluster,
  type Train,
  testCluster,
  until,
} from '../../packages/testing/src/server/index.ts'

const ROUNDS = 3
const TIMEOUT = { timeout: 600_000 }
/** Long enough for a coordinator on a busy machine, which must not lose its run while it is running. */
const LEASE_SECONDS = 20
/** No death is noticed by waiting for this: what happens all the same, happens at once. */
const NEVER_EXPIRES = 600

const isPostgresThere = await postgresAnswers()
if (!isPostgresThere) console.warn('server-cluster: skipped, as no PostgreSQL answers (FEDSVD_TEST_POSTGRES)')

/**
 * Trains at once in every round but this one, and in this one when the gate of the client opens; once in each round,
 * however often it is invited, as a client node does.
 */
function heldIn(round: number, gates: ReadonlyMap<string, Promise<void>>): Train {
  const begun = new Set<string>()
  return async (client, invitation) => {
    const work = `${client.clientId}/${invitation.runId}/${invitation.round}`
    if (begun.has(work)) return
    begun.add(work)
    if (invitation.round === round) await gates.get(client.clientId)
    await persistently(client, invitation)
  }
}

async function ownerOf(cluster: TestCluster, runId: string) {
  const [lease] = await cluster.query<{ owner: string; epoch: number }>(
    `SELECT owner, epoch FROM "RunLease" WHERE "runId" = '${runId}'`,
  )
  return lease
}

/** Everything that must be as if one coordinator had driven the run undisturbed. */
async function expectUndisturbed(
  cluster: TestCluster,
  last: RunSnapshot,
  clients: readonly FakeClient[],
): Promise<void> {
  expect(last.roundsDone).toBe(ROUNDS)
  expect(last.adapter).toBe(expectedAdapter(last, clients))
  const everyone = clients.map(({ clientId }) => clientId).sort()
  expect(last.rounds.map((round) => round.clients)).toEqual(Array.from({ length: ROUNDS }, () => everyone))
  expect(last.clients.map(({ steps }) => steps)).toEqual(clients.map(() => 2 * ROUNDS))
  const charges = `SELECT count(*)::int AS count FROM "PrivacyEvent" WHERE "runId" = '${last.runId}'`
  expect(await cluster.query(charges)).toEqual([{ count: ROUNDS * clients.length }])
  expect(clients.flatMap(({ errors }) => errors)).toEqual([])
  expect(last.alerts).toEqual([])
}

/** A run in the middle of its second round: one update is in, the others wait at their gates. */
async function inTheMiddle(cluster: TestCluster, owner: CoordinatorProcess, other: CoordinatorProcess) {
  const doors = new Map<string, ReturnType<typeof gate>>()
  const passages = new Map<string, Promise<void>>()
  const clients = await cluster.clients(other, 3, heldIn(1, passages))
  for (const { clientId } of clients) {
    doors.set(clientId, gate())
    passages.set(clientId, doors.get(clientId)!.passed)
  }
  const [near, delivering, far] = clients as [FakeClient, FakeClient, FakeClient]
  near.moveTo(owner.url)
  const { runId } = await cluster.createRun(owner, { rounds: ROUNDS, deadlineSeconds: 3600 })
  for (const client of clients) await client.connect()
  doors.get(delivering.clientId)!.open()
  const before = await cluster.seen(owner, runId, 'an update in the second round', ({ current }) => {
    return current?.round === 1 && current.received.length === 1
  })
  expect(before.current!.received).toEqual([delivering.clientId])
  expect(await ownedBy(owner)).toBe(1)
  const openAll = (): void => {
    for (const door of doors.values()) door.open()
  }
  return { runId, clients, near, far, before, openAll }
}

/** How many runs a coordinator owns. */
async function ownedBy({ url }: CoordinatorProcess): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(/^fedsvd_open_runs (\d+)$/m.exec(metrics)![1])
}

const completed = ({ state }: RunSnapshot): boolean => state === 'completed'

describe.skipIf(!isPostgresThere)('two coordinators on one PostgreSQL', () => {
  it('drive a run once, whichever of them its clients and operators are connected to', TIMEOUT, async () => {
    await using cluster = await testCluster({ leaseSeconds: NEVER_EXPIRES })
    const [one, two] = [await cluster.start(), await cluster.start()]
    const passages = new Map<string, Promise<void>>()
    const clients = await cluster.clients(one, 3, heldIn(1, passages))
    const door = gate()
    passages.set(clients[0]!.clientId, door.passed)
    const [, second, third] = clients as [FakeClient, FakeClient, FakeClient]
    // A load balancer: the challenge comes from one, the connection goes to the other, and so do single requests.
    second.moveTo(one.url)
    const auth = await second.handshake()
    second.moveTo(two.url)
    third.moveTo(two.url)
    const { runId } = await cluster.createRun(one, { rounds: ROUNDS })
    const watch = watchRuns(two.url, cluster.operatorToken)
    await clients[0]!.connect()
    await second.connect(auth)
    await expect(second.connect(auth)).rejects.toMatchObject({ code: 'TOKEN_INVALID' }) // used, at whichever of them
    await second.connect()
    await third.connect()
    third.moveTo(one.url)
    await until('a round under way on the dashboard of the other', () =>
      watch.seen.some(({ current, roundsDone }) => current !== undefined && roundsDone < ROUNDS),
    )
    door.open()
    await cluster.seen(two, runId, 'the end of the run', completed)
    const [atOne, atTwo] = [await cluster.snapshot(one, runId), await cluster.snapshot(two, runId)]
    await expectUndisturbed(cluster, atTwo, clients)
    expect(atOne).toEqual(atTwo)
    expect(atTwo.clients.map(({ connected }) => connected)).toEqual([true, true, true])
    expect((await ownerOf(cluster, runId))!.epoch).toBe(1)
    const last = await until('the end on the dashboard of the other', () => watch.seen.find(completed), 60_000)
    expect(last.runId).toBe(runId)
    watch.socket.disconnect()
    for (const client of clients) {
      await until('the news that the run has ended', () => client.ended.some((ended) => ended.runId === runId))
    }
  })

  it('hand the round over when its owner is killed, with nothing lost and nothing charged twice', TIMEOUT, async () => {
    await using cluster = await testCluster({ leaseSeconds: LEASE_SECONDS })
    const [owner, other] = [await cluster.start(), await cluster.start()]
    const { runId, clients, near, before, openAll } = await inTheMiddle(cluster, owner, other)
    const first = await ownerOf(cluster, runId)
    await owner.kill()
    const after = await cluster.seen(other, runId, 'another owner', () => true)
    expect(after.current).toEqual(before.current)
    near.moveTo(other.url)
    await near.connect()
    openAll()
    const last = await cluster.seen(other, runId, 'the end of the run', completed)
    await expectUndisturbed(cluster, last, clients)
    const second = await ownerOf(cluster, runId)
    expect(second!.epoch).toBeGreaterThan(first!.epoch)
    expect(second!.owner).not.toBe(first!.owner)
  })

  it('hand it over at once when its owner is stopped', TIMEOUT, async () => {
    await using cluster = await testCluster({ leaseSeconds: NEVER_EXPIRES })
    const [owner, other] = [await cluster.start(), await cluster.start()]
    const { runId, clients, near, openAll } = await inTheMiddle(cluster, owner, other)
    expect(await owner.stop()).toBe(0)
    near.moveTo(other.url)
    await near.connect()
    openAll()
    await expectUndisturbed(cluster, await cluster.seen(other, runId, 'the end of the run', completed), clients)
    expect((await ownerOf(cluster, runId))!.epoch).toBe(2)
  })

  it('refuse an owner that slept through the handover', TIMEOUT, async () => {
    await using cluster = await testCluster({ leaseSeconds: LEASE_SECONDS })
    const [owner, other] = [await cluster.start(), await cluster.start()]
    const { runId, clients, near, openAll } = await inTheMiddle(cluster, owner, other)
    const first = await ownerOf(cluster, runId)
    owner.freeze()
    // What the sleeper finds on waking: an update for the round that it believes to be open, and to be its own.
    const invitation = near.invitations.find(({ round }) => round === 1)!
    const tensors = near.delta(runId, 1).map((tensor) => ({ ...tensor, data: tensor.data.map((value) => -value) }))
    const late = near.upload(invitation, near.frame(invitation, { tensors })).then(
      () => 'counted',
      ({ code }: { code: string }) => code,
    )
    near.moveTo(other.url)
    await until('another owner', async () => (await ownerOf(cluster, runId))!.owner !== first!.owner, 120_000)
    await near.connect()
    openAll()
    const last = await cluster.seen(other, runId, 'the end of the run', completed)
    owner.wake()
    expect(await late).not.toBe('counted')
    await expectUndisturbed(cluster, last, clients)
    // Who is connected where is known to the sleeper again once it has looked around.
    const atOther = await cluster.snapshot(other, runId)
    const atOwner = await cluster.seen(owner, runId, 'the same at the other', (seen) =>
      isDeepStrictEqual(seen, atOther),
    )
    expect(atOwner).toEqual(atOther)
    // It is a coordinator like any other again.
    const next = await cluster.createRun(owner, { rounds: 1, name: 'another run' })
    await cluster.seen(owner, next.runId, 'the end of another run', completed)
  })

  it('stop a run at whichever of them is asked', TIMEOUT, async () => {
    await using cluster = await testCluster({ leaseSeconds: NEVER_EXPIRES })
    const [owner, other] = [await cluster.start(), await cluster.start()]
    const { runId, clients } = await inTheMiddle(cluster, owner, other)
    const reply = await fetch(`${other.url}/v1/runs/${runId}/stop`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.operatorToken}` },
    })
    expect(reply.status).toBe(200)
    for (const client of clients) {
      await until('the news that the run was stopped', () => client.ended.some(({ state }) => state === 'stopped'))
    }
    await until('the owner to let go', async () => (await ownedBy(owner)) === 0)
  })

  it(
    'end a run that every client has left behind, as after a restore from a backup, wherever the clients are',
    TIMEOUT,
    async () => {
      await using cluster = await testCluster({ leaseSeconds: NEVER_EXPIRES })
      const [owner, other] = [await cluster.start(), await cluster.start()]
      const stale = { code: 'UPDATE_STALE', expected: 'a round to come', got: 'one that was made', remedy: 'Go on.' }
      const onInvite: FakeClientOptions['onInvite'] = () => ({ accepted: false, error: stale })
      const clients = await enrolClients(other.url, cluster.operatorToken, 3, { onInvite })
      try {
        const [near, ...far] = clients as [FakeClient, ...FakeClient[]]
        near.moveTo(owner.url)
        const manifest = await cluster.createRun(owner, { rounds: 5, deadlineSeconds: 3600 })
        const { runId } = manifest
        for (const client of clients) await client.connect()
        await cluster.seen(other, runId, 'three refusals', ({ alerts }) => alerts.length === 3)
        // What the ledgers of the sites hold, and this database does not know.
        const reported = (client: FakeClient) => {
          const event = eventOfRound(manifest, client.termsFor(manifest))
          return { runId, since: 0, reservations: [0, 1, 2].map((round) => ({ round, attempt: 1, event })) }
        }
        for (const client of far) expect(await client.report(reported(client))).toEqual({ agrees: true })
        // What the third has spent is not known yet.
        expect((await cluster.snapshot(other, runId)).state).toBe('running')
        expect(await near.report(reported(near))).toEqual({ agrees: true })
        const last = await cluster.seen(other, runId, 'the end', ({ state }) => state !== 'running')
        expect(last).toMatchObject({ state: 'failed', roundsDone: 0 })
        expect(last.reason).toMatch(/every client has made round 1 already: .* the run ends with 0 of 5 rounds/)
        expect(last.clients.map(({ steps }) => steps)).toEqual([6, 6, 6]) // what was spent is charged, no round twice
        expect(
          new Set(last.alerts.filter(({ code }) => code === 'ROUNDS_AHEAD').map(({ clientId }) => clientId)).size,
        ).toBe(3)
        expect(await cluster.snapshot(owner, runId)).toEqual(last)
        for (const { ended } of clients) await until('the news', () => ended.some((one) => one.runId === runId))
      } finally {
        for (const client of clients) client.disconnect()
      }
    },
  )

  it('cut a client that was revoked elsewhere, though no message said so', TIMEOUT, async () => {
    await using cluster = await testCluster({ leaseSeconds: 3 })
    const [here] = [await cluster.start(), await cluster.start()]
    const [client] = await cluster.clients(here, 1)
    await client!.connect()
    await cluster.query(`UPDATE "Client" SET "revokedAt" = now() WHERE "id" = '${client!.clientId}'`)
    await until('the end of the connection', () => client!.socket?.connected === false, 60_000)
    await expect(client!.connect()).rejects.toThrow(/FORBIDDEN: .*revoked/)
  })

  it('do not start with other secrets than the others', TIMEOUT, async () => {
    await using cluster = await testCluster()
    await cluster.start()
    await expect(cluster.start({ uploadSecret: 'another-secret-than-that-of-the-others' })).rejects.toThrow(/code 1/)
  })
})

function watchRuns(url: string, token: string) {
  const seen: RunSnapshot[] = []
  const socket: Socket<OperatorEvents> = io(`${url}/operator`, {
    auth: { token },
    forceNew: true,
    transports: ['websocket'],
  })
  socket.on('run', (snapshot) => seen.push(snapshot))
  return { seen, socket }
}
