import { describe, expect, it } from 'vitest'
import type { ClientDetail, RoundSummary, RunSnapshot } from '../../../packages/core/src/protocol/index.ts'
import {
  createOperator,
  get,
  post,
  signIn,
  testCoordinator,
  tinyRequest,
} from '../../../packages/testing/src/server/index.ts'

const ended = ({ state }: RunSnapshot): boolean => state === 'completed'
const aRun = { clientsPerRound: 1, quorum: 1 }

describe('what operators read beside snapshots', () => {
  it('shows an operator what a client did in the runs of that operator, and the others in all', async () => {
    await using coordinator = await testCoordinator()
    const { url } = coordinator
    await createOperator(coordinator, 'otto', 'operator')
    await createOperator(coordinator, 'audrey', 'auditor')
    const [otto, audrey] = [await signIn(url, 'otto'), await signIn(url, 'audrey')]
    const client = await coordinator.client('site')
    await client.connect()
    const foreign = await coordinator.createRun({ ...aRun, rounds: 1 })
    const own = await post<{ runId: string }>(url, '/v1/runs', tinyRequest({ ...aRun, rounds: 2 }), otto)
    for (const { runId } of [foreign, own]) await coordinator.seen(runId, 'the end', ended)
    const runsOf = async (token: string) =>
      (await get<ClientDetail>(url, `/v1/clients/${client.clientId}`, token)).runs.map(({ runId, facts }) => ({
        runId,
        rounds: facts.length,
        reported: facts.filter(({ reportedAt }) => reportedAt !== undefined).length,
      }))
    expect(await runsOf(otto)).toEqual([{ runId: own.runId, rounds: 2, reported: 2 }])
    expect(await runsOf(audrey)).toHaveLength(2)
    for (const token of [otto, audrey]) {
      const { spent } = await get<ClientDetail>(url, `/v1/clients/${client.clientId}`, token)
      expect(spent).toEqual([{ sampleRate: 0.1, noiseMultiplier: 2, steps: 6 }]) // of both runs, which it does not name
    }
  })

  it('names the client of an alert that was refused, and so takes no part', async () => {
    await using coordinator = await testCoordinator()
    const refused = await coordinator.client('poor site')
    const { runId } = await coordinator.createRun(aRun)
    const alert = { runId, clientId: refused.clientId, code: 'BUDGET_TOO_SMALL', message: 'refused', at: 0 }
    await coordinator.store.alerts.add(alert)
    const { alerts, clients } = await coordinator.snapshot(runId)
    expect(clients).toEqual([])
    expect(alerts[0]).toMatchObject({ clientId: refused.clientId, clientName: 'poor site' })
  })

  it('says of a run whose random numbers were not secure that no epsilon of it holds, in each snapshot', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun(aRun)
    const read = async () => await get<RunSnapshot>(coordinator.url, `/v1/runs/${runId}`, coordinator.operatorToken)
    expect(await read()).not.toHaveProperty('notPrivate')
    const message = 'NOISE_INVALID: expected random numbers of the operating system, got NOT PRIVATE.'
    await coordinator.store.alerts.add({ runId, code: 'NOISE_INVALID', message, at: 0 })
    expect((await read()).notPrivate).toBe(message)
    const { runs } = await get<{ runs: RunSnapshot[] }>(coordinator.url, '/v1/runs', coordinator.operatorToken)
    expect(runs[0]!.notPrivate).toBe(message)
  })

  it('tells how each round went: when, who, and how many bytes', async () => {
    await using coordinator = await testCoordinator()
    const clients = await Promise.all(['a', 'b'].map((name) => coordinator.client(name)))
    for (const client of clients) await client.connect()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 2 })
    await coordinator.seen(runId, 'the end', ended)
    const read = async (query: string) =>
      (
        await get<{ rounds: RoundSummary[] }>(
          coordinator.url,
          `/v1/runs/${runId}/rounds${query}`,
          coordinator.operatorToken,
        )
      ).rounds
    const rounds = await read('')
    const state = clients[0]!.invitations[1]!.state.bytes
    const update = clients[0]!.frame(clients[0]!.invitations[1]!).byteLength
    expect(rounds.map(({ round }) => round)).toEqual([0, 1])
    expect(rounds[1]).toMatchObject({
      state: 'published',
      selected: 2,
      received: 2,
      late: 0,
      refused: 0,
      bytesUp: 2 * update,
      bytesDown: 2 * state,
    })
    const { openedAt, firstReceivedAt, lastReceivedAt, closedAt, publishedAt, spectra } = rounds[1]!
    const times = [openedAt, firstReceivedAt, lastReceivedAt, closedAt, publishedAt].map((time) => Date.parse(time!))
    expect(times).toEqual(times.toSorted((left, right) => left - right))
    expect(spectra).toHaveLength(1)
    expect((await read('?since=1')).map(({ round }) => round)).toEqual([1])
    expect((await read('?limit=1')).map(({ round }) => round)).toEqual([0])
  })

  it('sends the newest rounds of a long run in lists, and all of them when it is asked for', async () => {
    await using coordinator = await testCoordinator()
    const client = await coordinator.client('site')
    await client.connect()
    const { runId } = await coordinator.createRun({ ...aRun, rounds: 23, target: { epsilon: 50, delta: 1e-5 } })
    const whole = await coordinator.seen(runId, 'the end', ended)
    expect(whole.rounds).toHaveLength(23)
    const { runs } = await get<{ runs: RunSnapshot[] }>(coordinator.url, '/v1/runs', coordinator.operatorToken)
    expect(runs[0]).toMatchObject({ runId, roundsDone: 23 })
    expect(runs[0]!.rounds).toEqual(whole.rounds.slice(3))
  })
})
