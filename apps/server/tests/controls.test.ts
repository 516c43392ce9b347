import { describe, expect, it } from 'vitest'
import type { RunManifest, RunRequest, RunSnapshot } from '../../../packages/core/src/protocol/index.ts'
import {
  call,
  cuttableProxy,
  enrolClients,
  expectedAdapter,
  type FakeClient,
  get,
  MovableClock,
  post,
  temporaryFolder,
  testCoordinator,
  tinyModels,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { startCoordinator } from '../src/index.ts'
import { createMemoryStore } from '../src/storage/records/memory/index.ts'

const silent = { train: async () => {} }
type Coordinator = Awaited<ReturnType<typeof testCoordinator>>

const control = (coordinator: Pick<Coordinator, 'url' | 'operatorToken'>, runId: string, what: string) =>
  post<RunSnapshot>(coordinator.url, `/v1/runs/${runId}/${what}`, {}, coordinator.operatorToken)

const patchPlan = (coordinator: Coordinator, runId: string, change: object) =>
  call(coordinator.url, `PATCH /v1/runs/${runId}/plan`, { bearer: coordinator.operatorToken }, change)

/** A run whose two clients hold an invitation to its first round and send nothing by themselves. */
async function invited(coordinator: Coordinator, changes: Partial<RunRequest> = {}) {
  const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 2, ...changes })
  const clients = [await coordinator.client('a', silent), await coordinator.client('b', silent)] as const
  await Promise.all(clients.map((client) => client.connect()))
  await until('the invitations', () => clients.every(({ invitations }) => invitations.length === 1))
  return { runId, clients }
}

describe('a paused run', () => {
  it('pauses, tells its clients, loses no update, and charges no client again when it is resumed', async () => {
    await using coordinator = await testCoordinator()
    const { runId, clients } = await invited(coordinator)
    const [a, b] = clients
    await a.upload(a.invitations[0]!)
    const paused = await control(coordinator, runId, 'pause')
    expect(paused).toMatchObject({ state: 'paused', current: { round: 0, state: 'tasked', received: [a.clientId] } })
    await until('the news', () => clients.every((client) => client.paused.length === 1))
    await expect(b.upload(b.invitations[0]!)).rejects.toMatchObject({ code: 'RUN_NOT_OPEN' })
    expect((await a.upload(a.invitations[0]!)).status).toBe('duplicate') // what was accepted is still known
    expect((await coordinator.snapshot(runId)).current!.received).toEqual([a.clientId])
    const late = await coordinator.client('late', silent)
    await late.connect()
    expect(late.manifests.has(runId)).toBe(false)
    late.disconnect()

    const resumed = await control(coordinator, runId, 'resume')
    expect(resumed).toMatchObject({ state: 'running', current: { round: 0, state: 'tasked' } })
    await until('the invitation again', () => b.invitations.length === 2)
    const { deadline: _, ...first } = b.invitations[0]!
    expect(b.invitations[1]).toMatchObject(first) // the token and the state included
    expect(a.invitations).toHaveLength(1)
    await b.upload(b.invitations[1]!)
    await until('round 1', () => clients.every(({ invitations }) => invitations.at(-1)?.round === 1))
    for (const client of clients) await client.upload(client.invitations.at(-1)!)
    const done = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(done.adapter).toBe(expectedAdapter(done, clients))
    expect(done.clients.map(({ steps }) => steps)).toEqual([4, 4]) // two rounds of two steps: the pause costs nothing
    const actions = (await coordinator.store.audit.page(0, 100)).map(({ action }) => action)
    expect(actions.filter((action) => /pause|resume/.test(action))).toEqual(['run.pause', 'run.resume'])
  })

  it('gives its round a whole term when it is resumed, however long it stood still', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    const { runId, clients } = await invited(coordinator, { deadlineSeconds: 60, quorum: 1 })
    await clients[0].upload(clients[0].invitations[0]!)
    await control(coordinator, runId, 'pause')
    clock.advance(3600_000)
    const { current } = await control(coordinator, runId, 'resume')
    expect(current).toMatchObject({ round: 0, state: 'tasked', extensions: 0 })
    expect(Date.parse(current!.deadline!)).toBeGreaterThan(clock.now() + 50_000)
    await until('the invitation again', () => clients[1].invitations.length === 2)
    expect((await clients[1].upload(clients[1].invitations[1]!)).status).toBe('accepted')
  })

  it('is paused after a restart too, tells the clients that connect, and resumes from there', async () => {
    await using folder = await temporaryFolder()
    const store = createMemoryStore()
    const settings = { port: 0, stateDir: folder.path, logLevel: 'silent', gatherSeconds: 60 } as const
    const start = () => startCoordinator(settings, { models: tinyModels, openStore: async () => store })
    let clients: FakeClient[]
    let runId: string
    {
      await using coordinator = await start()
      const { url, operatorToken } = coordinator
      clients = await enrolClients(url, operatorToken, 3)
      ;({ runId } = await post<RunManifest>(url, '/v1/runs', tinyRequest({ rounds: 1 }), operatorToken))
      await clients[0]!.connect()
      await clients[1]!.connect() // the run waits for a third client
      expect(await control(coordinator, runId, 'pause')).toMatchObject({ state: 'paused' })
    }
    await using coordinator = await start()
    const { url, operatorToken } = coordinator
    for (const client of clients) {
      client.moveTo(url)
      client.paused.length = 0
      await client.connect()
    }
    await until('the news', () => clients.slice(0, 2).every(({ paused }) => paused.includes(runId)))
    expect(clients.flatMap(({ invitations }) => invitations)).toEqual([])
    expect(await control(coordinator, runId, 'resume')).toMatchObject({ state: 'waiting' })
    const snapshot = () => get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
    const done = await until('the end', async () => {
      const seen = await snapshot()
      return seen.state === 'completed' && seen
    })
    expect(done.adapter).toBe(expectedAdapter(done, clients))
    for (const client of clients) client.disconnect()
  })

  it('can be stopped, and neither paused twice nor resumed after its end', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await invited(coordinator)
    await expect(control(coordinator, runId, 'resume')).rejects.toMatchObject({ code: 'RUN_STATE' })
    await control(coordinator, runId, 'pause')
    await expect(control(coordinator, runId, 'pause')).rejects.toMatchObject({ code: 'RUN_STATE' })
    expect(await control(coordinator, runId, 'stop')).toMatchObject({ state: 'stopped' })
    await expect(control(coordinator, runId, 'resume')).rejects.toMatchObject({ code: 'RUN_STATE' })
    await expect(control(coordinator, runId, 'pause')).rejects.toMatchObject({ code: 'RUN_STATE' })
  })
})

describe('several runs at once', () => {
  it('go on beside each other with the same clients, each update in its own run', async () => {
    await using coordinator = await testCoordinator({ gatherSeconds: 60 })
    const runs = [
      await coordinator.createRun({ rounds: 1 }),
      await coordinator.createRun({ seed: 'another', rounds: 2 }),
    ]
    const clients = await Promise.all(['a', 'b', 'c'].map((name) => coordinator.client(name)))
    await Promise.all(clients.map((client) => client.connect()))
    for (const { runId, rounds } of runs) {
      const done = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
      expect(done.adapter).toBe(expectedAdapter(done, clients))
      expect(done.clients.map(({ steps }) => steps)).toEqual(Array(3).fill(2 * rounds))
    }
    expect(clients.flatMap(({ errors }) => errors)).toEqual([])
  })
})

describe('a connection that was lost without being closed', () => {
  it('is noticed by both sides within detectionSeconds', async () => {
    await using coordinator = await testCoordinator({ detectionSeconds: 1 })
    const { hostname, port } = new URL(coordinator.url)
    await using proxy = await cuttableProxy({ host: hostname, port: Number(port) })
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2 })
    const client = await coordinator.client('behind a lost route', silent)
    client.moveTo(`http://127.0.0.1:${proxy.port}`)
    await client.connect()
    await coordinator.seen(runId, 'the client', ({ clients }) => clients[0]?.connected === true)
    const noticed = new Promise((resolve) => client.socket!.once('disconnect', resolve))
    proxy.stall()
    await coordinator.seen(runId, 'that it is gone', ({ clients }) => clients[0]?.connected === false)
    expect(await noticed).toBe('ping timeout')
  })
})

describe('the plan of a run', () => {
  it('holds from the next round on, is kept with its history, and leaves the manifest alone', async () => {
    await using coordinator = await testCoordinator()
    const { runId, clients } = await invited(coordinator, { rounds: 3 })
    const before = await coordinator.snapshot(runId)
    expect(before.plan).toEqual({ version: 0, rounds: 3, quorum: 2, clientsPerRound: 2, deadlineSeconds: 30 })
    const { status, body } = await patchPlan(coordinator, runId, { clientsPerRound: 1, quorum: 1, rounds: 2 })
    expect(status).toBe(200)
    expect((body as RunSnapshot).plan).toMatchObject({ version: 1, rounds: 2, quorum: 1, changedBy: 'operator-token' })
    await clients[0].upload(clients[0].invitations[0]!)
    expect(await coordinator.store.rounds.find(runId, 0)).toMatchObject({ phase: 'tasked', plan: { quorum: 2 } })
    await clients[1].upload(clients[1].invitations[0]!)
    const next = await until('round 1', () => clients.find(({ invitations }) => invitations.at(-1)?.round === 1))
    expect((await coordinator.snapshot(runId)).current!.selected).toEqual([next.clientId])
    await next.upload(next.invitations.at(-1)!)
    const done = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(done).toMatchObject({ roundsDone: 2, manifest: before.manifest })
    expect(await coordinator.store.runs.plans(runId)).toMatchObject([{ version: 1, rounds: 2, clientsPerRound: 1 }])
    const [entry] = (await coordinator.store.audit.page(0, 100)).filter(({ action }) => action === 'run.plan')
    expect(entry!.detail).toEqual({ clientsPerRound: 1, quorum: 1, rounds: 2, version: 1 })
    expect(await patchPlan(coordinator, runId, { rounds: 5 })).toMatchObject({ status: 409, code: 'RUN_STATE' })
  })

  it('frees a run that waits for more clients than there are', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 5, quorum: 5, rounds: 1 })
    const client = await coordinator.client('the only one')
    await client.connect()
    await coordinator.seen(runId, 'the participant', ({ clients }) => clients.length === 1)
    await patchPlan(coordinator, runId, { clientsPerRound: 1, quorum: 1 })
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  })

  it.each([
    [{ quorum: 3 }, 'CONFIG_INVALID'],
    [{ rounds: 0 }, 'MESSAGE_INVALID'],
    [{ deadlineSeconds: 1e9 }, 'MESSAGE_INVALID'],
    [{ learningRate: 1 }, 'MESSAGE_INVALID'],
    [{}, 'MESSAGE_INVALID'],
  ])('refuses %o, and nothing changes', async (change, code) => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2 })
    expect(await patchPlan(coordinator, runId, change)).toMatchObject({ status: 400, code })
    expect(await coordinator.store.runs.plans(runId)).toEqual([])
    expect((await coordinator.snapshot(runId)).plan!.version).toBe(0)
  })

  it('cannot be shorter than what has begun', async () => {
    await using coordinator = await testCoordinator()
    const { runId, clients } = await invited(coordinator, { rounds: 4 })
    for (const client of clients) await client.upload(client.invitations[0]!)
    await until('round 1', () => clients.every(({ invitations }) => invitations.at(-1)?.round === 1))
    expect(await patchPlan(coordinator, runId, { rounds: 1 })).toMatchObject({ status: 400, code: 'CONFIG_INVALID' })
    expect(await patchPlan(coordinator, runId, { rounds: 2 })).toMatchObject({ status: 200 })
  })

  it('extends a run as far as budgets go, names the rounds in invitations, and ends it as completed with the reason', async () => {
    await using coordinator = await testCoordinator()
    // At noise multiplier 2 the budget below buys eight rounds (1.026 for nine); the manifest announces two.
    const clients = [await coordinator.client('a'), await coordinator.client('b')]
    const { runId } = await coordinator.createRun({
      rounds: 2,
      clientsPerRound: 2,
      quorum: 2,
      target: { epsilon: 1, delta: 1e-5 },
    })
    await patchPlan(coordinator, runId, { rounds: 40 })
    for (const client of clients) await client.connect()
    const done = await coordinator.seen(runId, 'the end', ({ endedAt }) => endedAt !== undefined)
    expect(done.state).toBe('completed')
    expect(done.reason).toMatch(
      /^too few clients with budget left: round \d needs 2, 0 can pay for it; the run ends with \d of 40 rounds$/,
    )
    expect(done.roundsDone).toBeGreaterThan(2)
    expect(done.roundsDone).toBeLessThan(9) // eight by the tight bound
    expect(done.adapter).toBe(expectedAdapter(done, clients))
    for (const { epsilonUpperBound, budget } of done.clients) expect(epsilonUpperBound).toBeLessThanOrEqual(budget)
    const named = clients[0]!.invitations.map(({ round, rounds }) => [round, rounds])
    expect(named.slice(0, 3)).toEqual([
      [0, undefined],
      [1, undefined],
      [2, 40],
    ])
  })
})
