import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pld } from '../../../packages/core/src/accounting/index.ts'
import type { ClientDetail, RunLedger, RunSnapshot } from '../../../packages/core/src/protocol/index.ts'
import {
  call,
  type FakeClient,
  type TestCoordinator,
  testCoordinator,
  trainAndUpload,
  until,
} from '../../../packages/testing/src/server/index.ts'

/* A fake client draws lots of 10 out of 100 records at noise multiplier 2, two steps a round. */
const epsilonOf = (rounds: number): number =>
  rounds === 0 ? 0 : pld.epsilonUpperBound([{ sampleRate: 0.1, noiseMultiplier: 2, steps: 2 * rounds }], 1e-5)
/** Buys so many rounds of two steps, and no step more. */
const between = (rounds: number): number => (epsilonOf(rounds) + epsilonOf(rounds + 0.5)) / 2

let coordinator: TestCoordinator
let client: FakeClient
/** Makes the client wait before it trains, and lets it go on. */
let hold: () => void
let release: () => void
beforeEach(async () => {
  coordinator = await testCoordinator()
  let wait = Promise.resolve()
  release = () => {}
  client = await coordinator.client('site', {
    train: async (self, invitation) => {
      await wait
      await trainAndUpload(self, invitation)
    },
  })
  hold = () => {
    wait = new Promise((resolve) => {
      release = resolve
    })
  }
  await client.connect()
})
afterEach(() => coordinator[Symbol.asyncDispose]())

const setCap = (epsilon: number, delta = 1e-5) =>
  call(
    coordinator.url,
    `PATCH /v1/clients/${client.clientId}/budget`,
    { bearer: coordinator.operatorToken },
    { epsilon, delta },
  )
const ended = ({ state }: RunSnapshot): boolean => state === 'completed' || state === 'failed'
const aRun = { clientsPerRound: 1, quorum: 1, rounds: 6 }

describe('a cap on what a client may spend', () => {
  it('ends its invitations before the round that would exceed it', async () => {
    expect((await setCap(between(3))).status).toBe(200)
    const { runId } = await coordinator.createRun(aRun)
    const snapshot = await coordinator.seen(runId, 'the end', ended)
    expect(snapshot).toMatchObject({ state: 'completed', roundsDone: 3 })
    expect(client.invitations.map(({ round }) => round)).toEqual([0, 1, 2])
    expect(snapshot.clients[0]).toMatchObject({ budget: 8, exhausted: false })
  })

  it('is shown beside a run under way, with the rounds that it leaves, and changes no run that has ended', async () => {
    await setCap(between(3))
    hold()
    const { runId } = await coordinator.createRun(aRun)
    await until('the first invitation', () => client.invitations.length === 1)
    expect((await coordinator.snapshot(runId)).clients[0]).toMatchObject({
      cap: { epsilonUpperBound: epsilonOf(1), budget: between(3), delta: 1e-5, exhausted: false },
      roundsLeft: 2, // of five that have not begun
    })
    release()
    const record = (await coordinator.seen(runId, 'the end', ended)).clients
    await setCap(0.01)
    expect((await coordinator.snapshot(runId)).clients).toEqual(record)
    expect(record[0]).not.toHaveProperty('cap')
    expect(record[0]).not.toHaveProperty('roundsLeft')
    const route = `GET /v1/runs/${runId}/ledger`
    const { body } = await call(coordinator.url, route, { bearer: coordinator.operatorToken })
    expect((body as RunLedger).clients[0]).not.toHaveProperty('cap')
  })

  it('counts what all runs have spent, those that have ended and those under way', async () => {
    const first = await coordinator.createRun({ ...aRun, rounds: 2 })
    await coordinator.seen(first.runId, 'the end', ended)
    hold()
    const second = await coordinator.createRun(aRun)
    await until('an invitation to the second run', () => client.invitations.some(({ runId }) => runId === second.runId))
    expect((await setCap(between(3))).status).toBe(200) // two rounds before, one under way
    const third = await coordinator.createRun(aRun)
    release()
    await coordinator.seen(second.runId, 'the end of the second', ended)
    const ofThird = client.invitations.filter(({ runId }) => runId === third.runId)
    const ofSecond = client.invitations.filter(({ runId }) => runId === second.runId)
    expect([ofSecond.length, ofThird.length]).toEqual([1, 0])
    const ledger = (
      await call(coordinator.url, `GET /v1/runs/${third.runId}/ledger`, { bearer: coordinator.operatorToken })
    ).body as RunLedger
    expect(ledger.clients[0]!.cap).toEqual({
      epsilon: between(3),
      delta: 1e-5,
      elsewhere: [4, 2].map((steps) => ({ sampleRate: 0.1, noiseMultiplier: 2, steps })),
      rule: { kind: 'schedule', sampleRate: 0.1, noiseMultiplier: 2 },
    })
  })

  it('is in force at once for a run under way, and for one that is taken up again', async () => {
    hold()
    const { runId } = await coordinator.createRun(aRun)
    await until('the first invitation', () => client.invitations.length === 1)
    await setCap(between(1))
    release()
    const snapshot = await coordinator.seen(runId, 'the end', ended)
    expect(snapshot).toMatchObject({
      roundsDone: 1,
      state: 'completed',
      reason: expect.stringMatching(
        /^too few clients with budget left: round 2 needs 1, 0 can pay for it; the run ends with 1 of/,
      ),
    })
  })

  it('rises only as long as no data have been used, and remembers who set it', async () => {
    expect((await setCap(1)).status).toBe(200)
    expect((await setCap(between(2))).status).toBe(200)
    const { runId } = await coordinator.createRun({ ...aRun, rounds: 1 })
    await coordinator.seen(runId, 'the end', ended)
    expect(await setCap(between(2) + 1e-9)).toMatchObject({ status: 409, code: 'BUDGET_RAISED' })
    expect(await setCap(1, 1e-4)).toMatchObject({ status: 409, code: 'BUDGET_RAISED' })
    expect((await setCap(0.5, 1e-6)).status).toBe(200)
    const { caps } = (
      await call(coordinator.url, `GET /v1/clients/${client.clientId}`, { bearer: coordinator.operatorToken })
    ).body as ClientDetail
    expect(caps.map(({ epsilon, delta }) => [epsilon, delta])).toEqual([
      [1, 1e-5],
      [between(2), 1e-5],
      [0.5, 1e-6],
    ])
    expect(caps.map(({ actor }) => actor)).toEqual(Array(3).fill('operator-token'))
    const entries = await coordinator.store.audit.page(0, 100)
    expect(entries.filter(({ action }) => action === 'client.budget').map(({ detail }) => detail.epsilon)).toEqual([
      1,
      between(2),
      0.5,
    ])
  })

  it.each([{ epsilon: 0, delta: 1e-5 }, { epsilon: -1, delta: 1e-5 }, { epsilon: 1, delta: 0 }, { epsilon: 1 }, {}])(
    'refuses %o, and stores nothing',
    async (body) => {
      const route = `PATCH /v1/clients/${client.clientId}/budget`
      const answer = await call(coordinator.url, route, { bearer: coordinator.operatorToken }, body)
      expect(answer).toMatchObject({ status: 400, code: 'MESSAGE_INVALID' })
      expect(await coordinator.store.clients.capsOf(client.clientId)).toEqual([])
    },
  )
})

describe('a client that comes and goes', () => {
  it('is remembered with the time and the release that it stated', async () => {
    const detail = async () =>
      (await call(coordinator.url, `GET /v1/clients/${client.clientId}`, { bearer: coordinator.operatorToken }))
        .body as ClientDetail
    const there = await until('the client to be seen', async () => {
      const seen = await detail()
      return seen.lastSeenAt !== undefined && seen
    })
    expect(there).not.toHaveProperty('version')
    client.disconnect()
    await until('the client to be gone', async () => !(await detail()).connected)
    await client.connect({ ...(await client.handshake()), version: '9.8.7' })
    const back = await until('its release', async () => {
      const seen = await detail()
      return seen.version !== undefined && seen
    })
    expect(back.version).toBe('9.8.7')
    expect(Date.parse(back.lastSeenAt!)).toBeGreaterThanOrEqual(Date.parse(there.lastSeenAt!))
  })
})
