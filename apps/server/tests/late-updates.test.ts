import { describe, expect, it } from 'vitest'
import type { RunRequest, RunSnapshot } from '../../../packages/core/src/protocol/index.ts'
import {
  expectedAdapter,
  type FakeClient,
  MovableClock,
  post,
  type TestCoordinator,
  testCoordinator,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'

const silent = { train: async () => {} }

/** Clients that answer invitations and send nothing by themselves. */
async function sites(coordinator: TestCoordinator, count: number): Promise<FakeClient[]> {
  const clients = await Promise.all(
    Array.from({ length: count }, (_, index) => coordinator.client(`site ${index}`, silent)),
  )
  await Promise.all(clients.map((client) => client.connect()))
  return clients
}

const invitedTo = (clients: readonly FakeClient[], round: number): FakeClient[] =>
  clients.filter(({ invitations }) => invitations.at(-1)?.round === round)
const send = (client: FakeClient) => client.upload(client.invitations.at(-1)!)
const stepsOf = ({ clients }: RunSnapshot): number[] => clients.map(({ steps }) => steps).sort()

describe('a run that asks more clients than it needs', () => {
  it('closes when enough have delivered; what the others spent stays charged', async () => {
    await using coordinator = await testCoordinator({ gatherSeconds: 60 })
    const { runId } = await coordinator.createRun({ rounds: 1, clientsPerRound: 2, quorum: 2, overSelection: 1.5 })
    const clients = await sites(coordinator, 3)
    await until('three invitations', () => invitedTo(clients, 0).length === 3)
    await send(clients[0]!)
    expect((await coordinator.snapshot(runId)).current).toMatchObject({ state: 'tasked' })
    await send(clients[1]!)
    const done = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(done.rounds[0]!.clients).toHaveLength(2)
    expect(done.adapter).toBe(expectedAdapter(done, clients))
    expect(stepsOf(done)).toEqual([2, 2, 2])
    expect(clients[2]!.closed).toEqual([{ runId, round: 0 }])
    await expect(send(clients[2]!)).rejects.toMatchObject({ code: 'UPDATE_STALE' })
  })
})

describe('an update that comes when its round has closed', () => {
  /** Round 0 has closed without one of its two clients; round 1 asks the other two of three. */
  async function lateAfterRound0(coordinator: TestCoordinator, changes: Partial<RunRequest> = {}) {
    const asked = { rounds: 2, clientsPerRound: 1, quorum: 1, overSelection: 2, ...changes }
    const { runId } = await coordinator.createRun(asked)
    const clients = await sites(coordinator, 3)
    await until('two invitations', () => invitedTo(clients, 0).length === 2)
    const [prompt, late] = invitedTo(clients, 0) as [FakeClient, FakeClient]
    await send(prompt)
    await until('round 1', () => invitedTo(clients, 1).length === 2)
    return { runId, clients, late }
  }

  it('is moved to the basis of the round under way and counted there, once', async () => {
    await using coordinator = await testCoordinator()
    const { runId, clients, late } = await lateAfterRound0(coordinator, { lateUpdates: 'rebase' })
    expect(late.invitations.at(-1)!.round).toBe(0) // while it trains, others are asked
    expect(late.closed).toEqual([]) // and it is not told to stop
    const both = await Promise.all([send(late), send(late)])
    expect(both.map(({ status }) => status)).toContain('accepted')
    expect((await send(late)).status).toBe('duplicate')
    await send(invitedTo(clients, 1)[0]!)
    const done = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(done.rounds.map(({ clients: counted, late: moved }) => [counted.length, moved])).toEqual([
      [1, undefined],
      [1, [[late.clientId, 0]]],
    ])
    expect(done.adapter).toBe(expectedAdapter(done, clients))
    expect(stepsOf(done)).toEqual([2, 2, 4]) // each task is charged once, late or not
    const facts = await coordinator.store.ledger.facts(runId, late.clientId, 0)
    expect(facts.map(({ round, attempt, voided }) => [round, attempt, voided])).toEqual([[0, 1, false]])
    expect(await coordinator.store.ledger.delivered(runId, late.clientId, 0)).toEqual([0])
  })

  it('is asked for again when its client comes back, word for word', async () => {
    await using coordinator = await testCoordinator()
    const { late, clients } = await lateAfterRound0(coordinator, { lateUpdates: 'rebase' })
    late.disconnect()
    await late.connect()
    await until('the invitation again', () => late.invitations.length === 2)
    expect(late.invitations[1]).toEqual(late.invitations[0])
    expect((await send(late)).status).toBe('accepted')
    expect(invitedTo(clients, 1)).toHaveLength(2)
  })

  it('is refused when it is older than the run allows, and its client is told', async () => {
    await using coordinator = await testCoordinator()
    const { runId, clients, late } = await lateAfterRound0(coordinator, {
      lateUpdates: 'rebase',
      maxStaleness: 1,
      rounds: 4,
    })
    await send(invitedTo(clients, 1)[0]!)
    await until('the news', () => late.closed.length === 1)
    expect(late.closed).toEqual([{ runId, round: 0 }])
    const invitation = late.invitations.find(({ round }) => round === 0)!
    await expect(late.upload(invitation)).rejects.toMatchObject({ code: 'UPDATE_STALE' })
  })
})

describe('a buffered run', () => {
  const buffered = (changes: Partial<RunRequest> = {}): Partial<RunRequest> => ({
    mode: { name: 'buffered', bufferSize: 2, stalenessExponent: 0.5 },
    clientsPerRound: 3,
    quorum: 1,
    rounds: 3,
    ...changes,
  })

  it('makes a state of every two updates, weighs stale ones less, and lets each client train from the newest', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun(buffered())
    const clients = await sites(coordinator, 3)
    await until('invitations', () => invitedTo(clients, 0).length === 3)
    const [a, b, slow] = clients as [FakeClient, FakeClient, FakeClient]
    for (const round of [0, 1]) {
      await until(`round ${round}`, () => invitedTo([a, b], round).length === 2)
      await send(a)
      await send(b)
    }
    await until('round 2', () => invitedTo([a, b], 2).length === 2)
    expect(slow.invitations).toHaveLength(1)
    expect(slow.closed).toEqual([])
    expect((await send(slow)).status).toBe('accepted') // two states old
    await send(a)
    const done = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(done.rounds.map(({ clients: counted, late = [] }) => [counted.length, late])).toEqual([
      [2, []],
      [2, []],
      [1, [[slow.clientId, 0]]],
    ])
    expect(done.adapter).toBe(expectedAdapter(done, clients))
    expect(done.clients.find(({ clientId }) => clientId === slow.clientId)!.steps).toBe(2)
    const states = a.invitations.map(({ state }) => state.sha256)
    expect(new Set(states).size).toBe(3) // each time the newest
  })

  it('does not wait for a client that hangs, closes a buffer at the deadline with a quorum, and asks anew without one', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    const { runId } = await coordinator.createRun(buffered({ rounds: 2, deadlineSeconds: 60 }))
    const clients = await sites(coordinator, 3)
    await until('invitations', () => invitedTo(clients, 0).length === 3)
    await send(clients[0]!)
    clock.advance(61_000)
    await until('round 1', () => invitedTo(clients, 1).length === 1) // one of two was enough at the deadline
    expect(invitedTo(clients, 1)).toEqual([clients[0]])
    clock.advance(61_000) // no client sends anything: those that train for round 0 are asked for round 1
    await until('all of them', () => invitedTo(clients, 1).length === 3)
    const { alerts } = await coordinator.snapshot(runId)
    expect(alerts.map(({ code }) => code)).toContain('QUORUM_MISSED')
    await send(clients[1]!)
    await send(clients[2]!)
    const done = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(done.rounds[1]!.clients).toHaveLength(2)
    expect(done.adapter).toBe(expectedAdapter(done, clients))
  })

  it.each<[string, Partial<RunRequest>]>([
    ['a quorum above its buffer', buffered({ quorum: 3 })],
    ['a robust rule', buffered({ aggregation: { name: 'median' } })],
    ['lateUpdates', buffered({ lateUpdates: 'reject' })],
    ['over-selection', buffered({ overSelection: 2 })],
    [
      'client-level privacy',
      buffered({ clientLevel: { clipNorm: 0.1, noiseMultiplier: 2, budget: { epsilon: 8, delta: 1e-5 } } }),
    ],
  ])('is not opened with %s', async (_, changes) => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken } = coordinator
    await expect(post(url, '/v1/runs', tinyRequest(changes), operatorToken)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})
