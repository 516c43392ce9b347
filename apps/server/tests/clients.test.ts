import { io } from 'socket.io-client'
import { describe, expect, it } from 'vitest'
import type { AdapterState } from '../../../packages/core/src/lora/index.ts'
import type { Invitation, RunSnapshot, WireError } from '../../../packages/core/src/protocol/index.ts'
import {
  call,
  expectedAdapter,
  get,
  MovableClock,
  post,
  testCoordinator,
  trainAndUpload,
  until,
} from '../../../packages/testing/src/server/index.ts'

const refusal = (code: string): WireError => ({ code, expected: 'one thing', got: 'another', remedy: 'Do this.' })
const silent = { train: async () => {} }
const names = (snapshot: RunSnapshot, ids: readonly string[]): string[] =>
  ids.map((id) => snapshot.clients.find(({ clientId }) => clientId === id)!.name).sort()

describe('clients come and go', () => {
  it('waits for as many clients as the run asks for, and lets a late one in', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 2 })
    const first = await coordinator.client('first')
    await first.connect()
    const waiting = await coordinator.seen(runId, 'the participant', ({ clients }) => clients.length === 1)
    expect(waiting).toMatchObject({ state: 'waiting', roundsDone: 0 })
    expect(first.invitations).toEqual([])
    const late = await coordinator.client('late')
    await late.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.adapter).toBe(expectedAdapter(snapshot, [first, late]))
  })

  it('lets a client that connects in mid-run take part from the next round on', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 3, quorum: 1, rounds: 2, deadlineSeconds: 3 })
    let goOn = (): void => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const train: typeof trainAndUpload = async (client, invitation) => {
      await held
      await trainAndUpload(client, invitation)
    }
    const early = await coordinator.client('early', { train })
    await early.connect()
    await until('round 0 with the early client alone', () => early.invitations.length === 1)
    const late = await coordinator.client('late')
    await late.connect()
    await coordinator.seen(runId, 'the late participant', ({ clients }) => clients.length === 2)
    expect(late.invitations).toEqual([])
    goOn()
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.rounds.map(({ clients }) => names(snapshot, clients))).toEqual([['early'], ['early', 'late']])
  })

  it('gives a client that comes back the same invitation again', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('site', silent)
    await client.connect()
    await until('the invitation', () => client.invitations.length === 1)
    client.disconnect()
    await coordinator.seen(runId, 'the absence', ({ clients }) => !clients[0]!.connected)
    await client.connect()
    await until('the invitation again', () => client.invitations.length === 2)
    expect(client.invitations[1]).toEqual(client.invitations[0])
    await client.upload(client.invitations[0]!)
    const { clients } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(clients[0]!.steps).toBe(2)
  })

  it('keeps one connection of an identity: the newer one', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('site', silent)
    await client.connect()
    const older = client.socket!
    const olderToken = client.sessionToken
    const replaced = new Promise((resolve) => older.once('disconnect', resolve))
    await client.connect()
    expect(await replaced).toBe('io server disconnect')
    expect((await coordinator.snapshot(runId)).clients[0]).toMatchObject({ connected: true })
    await until('the invitation on the newer connection', () => client.invitations.length > 0)
    const { adapter } = await coordinator.snapshot(runId)
    expect((await client.download(adapter!)).length).toBeGreaterThan(0)
    client.sessionToken = olderToken
    await expect(client.download(adapter!)).rejects.toThrow(/TOKEN_INVALID/)
  })

  it('tells a client that was away how its runs have ended', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('site', silent)
    await client.connect()
    await until('the invitation', () => client.invitations.length === 1)
    client.disconnect()
    await post(coordinator.url, `/v1/runs/${runId}/stop`, {}, coordinator.operatorToken)
    await client.connect()
    await until('the news', () => client.ended.length === 1)
    expect(client.ended).toEqual([{ runId, state: 'stopped', reason: 'stopped by an operator' }])
  })
})

describe('a round that does not go smoothly', () => {
  it('is extended at its deadline without a quorum, raises an alert, and goes on when the updates come', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 1, deadlineSeconds: 60 })
    const prompt = await coordinator.client('prompt')
    const slow = await coordinator.client('slow', silent)
    await Promise.all([prompt.connect(), slow.connect()])
    await coordinator.seen(runId, 'one update', ({ current }) => current?.received.length === 1)
    clock.advance(61_000)
    const extended = await coordinator.seen(runId, 'the alert', ({ alerts }) => alerts.length > 0)
    expect(extended.alerts[0]).toMatchObject({
      code: 'QUORUM_MISSED',
      message: expect.stringContaining('had 1 of 2 updates'),
    })
    expect(extended.state).toBe('running')
    await slow.upload(slow.invitations[0]!)
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(names(snapshot, snapshot.rounds[0]!.clients)).toEqual(['prompt', 'slow'])
  })

  it('asks another client in place of one that refuses, where the quorum needs it', async () => {
    await using coordinator = await testCoordinator()
    const options = { onInvite: () => ({ accepted: false as const, error: refusal('LEDGER_LOCKED') }) }
    const [a, b, c] = [
      await coordinator.client('a', options),
      await coordinator.client('b', options),
      await coordinator.client('c'),
    ]
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    await Promise.all([a.connect(), b.connect(), c.connect()])
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(names(snapshot, snapshot.rounds[0]!.clients)).toEqual(['c'])
    // A client that refused has spent nothing; only clients that were asked have an alert.
    expect(snapshot.clients.map(({ name, steps }) => `${name} ${steps}`).sort()).toEqual(['a 0', 'b 0', 'c 2'])
    expect(snapshot.alerts.every(({ code }) => code === 'LEDGER_LOCKED')).toBe(true)
  })

  it('replaces a client that has gone when the deadline has passed', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1, deadlineSeconds: 0.3 })
    const gone = await coordinator.client('gone', silent)
    await gone.connect()
    await until('the invitation', () => gone.invitations.length === 1)
    gone.disconnect()
    const there = await coordinator.client('there')
    await there.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(names(snapshot, snapshot.rounds[0]!.clients)).toEqual(['there'])
    expect(snapshot.clients.find(({ name }) => name === 'gone')?.steps).toBe(2) // it was tasked: it may have spent
  })

  it.each(['BUDGET_EXHAUSTED', 'SITE_DECLINED', 'LEDGER_DAMAGED', 'TERMS_CHANGED'])(
    'goes on when another client joins in place of one that withdraws with %s, and tells the operators meanwhile',
    async (code) => {
      await using coordinator = await testCoordinator({}, { clock: new MovableClock() })
      const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 2, deadlineSeconds: 3600 })
      let asked = 0
      const leaving = await coordinator.client('leaving', {
        onInvite: ({ round }: Invitation) => {
          asked += 1
          return round === 0 ? { accepted: true } : { accepted: false, error: refusal(code) }
        },
      })
      const staying = await coordinator.client('staying')
      await Promise.all([leaving.connect(), staying.connect()])
      const waiting = await coordinator.seen(runId, 'the withdrawal', ({ alerts }) => alerts.length > 0)
      expect(waiting).toMatchObject({ state: 'running', roundsDone: 1 })
      const spare = await coordinator.client('spare')
      await spare.connect()
      const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
      expect(names(snapshot, snapshot.rounds[1]!.clients)).toEqual(['spare', 'staying'])
      expect(asked).toBe(2)
      expect(snapshot.clients.find(({ name }) => name === 'leaving')).toMatchObject({ steps: 2 })
    },
  )

  it('is not begun without its quorum: operators are told, and decide', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 2, deadlineSeconds: 3600 })
    let goOn = (): void => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const client = await coordinator.client('site', {
      train: async (self, invitation) => {
        await held
        await trainAndUpload(self, invitation)
      },
    })
    await client.connect()
    await until('the invitation', () => client.invitations.length === 1)
    const setQuorum = (quorum: number) =>
      call(
        coordinator.url,
        `PATCH /v1/runs/${runId}/plan`,
        { bearer: coordinator.operatorToken },
        { quorum, clientsPerRound: quorum },
      )
    expect((await setQuorum(2)).status).toBe(200)
    goOn()
    const { alerts } = await coordinator.seen(runId, 'the alert', (snapshot) => snapshot.alerts.length > 0)
    expect(alerts[0]).toMatchObject({
      code: 'QUORUM_MISSED',
      message: expect.stringMatching(/^round 2 cannot begin: of the 2 clients that it needs 1 take part/),
    })
    await setQuorum(1)
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  })

  it('ends the run with the rounds that it has where all that take part say that their budgets are spent', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 3 })
    const onInvite = ({ round }: Invitation) =>
      round === 0 ? { accepted: true as const } : { accepted: false as const, error: refusal('BUDGET_EXHAUSTED') }
    const clients = [await coordinator.client('a', { onInvite }), await coordinator.client('b', { onInvite })]
    await Promise.all(clients.map((client) => client.connect()))
    const snapshot = await coordinator.seen(runId, 'the end', ({ endedAt }) => endedAt !== undefined)
    expect(snapshot).toMatchObject({ state: 'completed', roundsDone: 1 })
    expect(snapshot.reason).toMatch(/^too few clients with budget left: .*; the run ends with 1 of 3 rounds$/)
    expect(snapshot.clients.every(({ exhausted }) => exhausted)).toBe(true)
    await until('the news', () => clients.every(({ ended }) => ended.length === 1))
    expect(clients[0]!.ended[0]).toMatchObject({ state: 'completed', reason: snapshot.reason })
  })

  it('does not ask a client again whose rounds fail three times in a row for reasons of its own', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1, deadlineSeconds: 0.1 })
    const broken = await coordinator.client('broken', {
      train: async (self, { round }) => {
        self.socket!.emit('round-failed', { runId, round, code: 'SITE_DECLINED' })
      },
    })
    await broken.connect()
    await until('three failures', () => broken.invitations.length === 3)
    const isPast = ({ current }: RunSnapshot) => (current?.extensions ?? 0) >= 4
    await coordinator.seen(runId, 'another deadline', isPast)
    expect(broken.invitations).toHaveLength(3)
    broken.disconnect()
    await broken.connect()
    await until('an invitation to who came back', () => broken.invitations.length === 4)
  })
})

describe('an operator', () => {
  it('stops a run once, and the clients hear of it', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun()
    const client = await coordinator.client('site')
    await client.connect()
    await coordinator.seen(runId, 'the participant', ({ clients }) => clients.length === 1)
    const stop = () => post<RunSnapshot>(coordinator.url, `/v1/runs/${runId}/stop`, {}, coordinator.operatorToken)
    expect(await stop()).toMatchObject({ state: 'stopped', reason: 'stopped by an operator' })
    await expect(stop()).rejects.toThrow(/RUN_STATE/)
    await until('the news', () => client.ended.length === 1)
  })

  it('follows a run by snapshots, the last of which shows its end', async () => {
    await using coordinator = await testCoordinator()
    const seen: RunSnapshot[] = []
    const socket = io(`${coordinator.url}/operator`, {
      auth: { token: coordinator.operatorToken },
      transports: ['websocket'],
    })
    socket.on('run', (snapshot: RunSnapshot) => seen.push(snapshot))
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 2 })
    const client = await coordinator.client('site')
    await client.connect()
    await until('the last snapshot', () => seen.at(-1)?.state === 'completed')
    expect(seen[0]).toMatchObject({ runId, state: 'waiting' })
    expect(seen.at(-1)).toEqual(await coordinator.snapshot(runId))
    socket.disconnect()
  })

  it('does not get in without the token', async () => {
    await using coordinator = await testCoordinator()
    const socket = io(`${coordinator.url}/operator`, { auth: { token: 'guess' }, reconnection: false })
    const error = await new Promise<Error & { data?: { code: string } }>((resolve) =>
      socket.once('connect_error', resolve),
    )
    expect(error.data?.code).toBe('TOKEN_INVALID')
  })

  it('sees the evaluation of every round, and the run ends after the last', async () => {
    const states: AdapterState[] = []
    const evaluator = {
      baseline: { majority: 0.744, records: 10 },
      evaluate: async (state: AdapterState) => {
        states.push(state)
        return { accuracy: 0.9 + states.length / 100, loss: 0.5, records: 10 }
      },
      [Symbol.asyncDispose]: async () => {},
    }
    await using coordinator = await testCoordinator({}, { evaluatorFor: async () => evaluator })
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 3 })
    const client = await coordinator.client('site')
    await client.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.baseline).toEqual(evaluator.baseline)
    expect(snapshot.rounds.map(({ evaluation }) => evaluation?.accuracy)).toEqual([0.91, 0.92, 0.93])
    expect(states.map(({ basis }) => basis)).toEqual([1, 2, 3])
  })

  it('hears of an evaluation that fails, and the run goes on', async () => {
    const evaluatorFor = () => Promise.reject(new Error('no such file'))
    await using coordinator = await testCoordinator({}, { evaluatorFor })
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('site')
    await client.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.alerts).toMatchObject([{ code: 'UNEXPECTED', message: 'evaluation: no such file' }])
  })

  it('can ask whether the coordinator is well, and count what it does', async () => {
    await using coordinator = await testCoordinator()
    expect(await get(coordinator.url, '/healthz')).toEqual({ status: 'ok' })
    expect(await get(coordinator.url, '/readyz')).toEqual({ status: 'ready' })
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 2 })
    const client = await coordinator.client('site')
    await client.connect()
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const page = await (await fetch(`${coordinator.url}/metrics`)).text()
    expect(page).toMatch(/^fedsvd_updates_total\{outcome="accepted"\} 2$/m)
    expect(page).toMatch(/^fedsvd_round_seconds_count 2$/m)
    expect(page).toMatch(/^fedsvd_connected_clients 1$/m)
    expect(page).not.toContain(runId)
    expect(page).not.toContain(client.clientId)
  })
})
