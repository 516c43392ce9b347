import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { networkTransport } from '../../apps/client/src/transport/network.ts'
import { restoreBackup } from '../../apps/server/src/backup/restore-backup.ts'
import { takeBackup } from '../../apps/server/src/backup/take-backup.ts'
import { type CoordinatorSettings, completeConfig, startCoordinator } from '../../apps/server/src/index.ts'
import type { ClientSpending, RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { placeEmbeddedDatabase } from '../../packages/testing/src/server/embedded-template.ts'
import { get, post } from '../../packages/testing/src/server/fake-client.ts'
import { temporaryFolder } from '../../packages/testing/src/server/temporary-folder.ts'
import { tinyModels, tinyRequest } from '../../packages/testing/src/server/tiny-model.ts'
import { until } from '../../packages/testing/src/server/until.ts'

/*
 * One side goes back in time while the other does not, with real coordinators and real sites: nobody is charged less
 * than was spent, no round counts twice, and each side says what it sees.
 */

const LOCAL_STEPS = 2
const REQUEST = { clientsPerRound: 2, quorum: 2, rounds: 6, localSteps: LOCAL_STEPS, expectedLotSize: 10 }

/** Lets sites make so many steps each, and then holds them in the middle of the next one. */
function steps() {
  let allowed = 0
  let wake: () => void = () => {}
  let raised = new Promise<void>((resolve) => {
    wake = resolve
  })
  return {
    allow(count: number) {
      allowed = count
      const waiting = wake
      raised = new Promise((resolve) => {
        wake = resolve
      })
      waiting()
    },
    /** For one site: waits until its next step is allowed. */
    counter() {
      let made = 0
      return async (): Promise<void> => {
        made += 1
        while (made > allowed) await raised
      }
    },
  }
}

const start = (settings: CoordinatorSettings) =>
  startCoordinator(
    { port: 0, logLevel: 'silent', gatherSeconds: 0.2, graceSeconds: 0, ...settings },
    { models: tinyModels },
  )

type Access = Pick<Awaited<ReturnType<typeof start>>, 'url' | 'operatorToken'>

const tokenOf = async ({ url, operatorToken }: Access): Promise<string> => {
  const request = { count: 1, expiresInSeconds: 3600 }
  return (await post<{ tokens: [string] }>(url, '/v1/enrolment-tokens', request, operatorToken)).tokens[0]
}

const snapshotOf = ({ url, operatorToken }: Access, runId: string) =>
  get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)

/** Steps that the coordinator has charged each client. */
async function charged({ url, operatorToken }: Access, runId: string): Promise<Map<string, number>> {
  const { clients } = await get<{ clients: ClientSpending[] }>(url, `/v1/runs/${runId}/ledger`, operatorToken)
  const stepsIn = ({ mechanisms }: ClientSpending) =>
    mechanisms.flatMap(({ spent }) => spent).reduce((sum, [, n]) => sum + n, 0)
  return new Map(clients.map((client) => [client.clientId, stepsIn(client)]))
}

it('a coordinator restored from an older backup, all sites ahead: the run ends by itself with the rounds that it has', async () => {
  await using home = await temporaryFolder()
  const at = (...names: string[]) => path.join(home.path, ...names)
  await placeEmbeddedDatabase(at('state'))
  const gate = steps()
  const first = await start({ stateDir: at('state') })
  const sites: Awaited<ReturnType<typeof startSite>>[] = []
  try {
    const transport = networkTransport(first.url)
    for (const name of ['north', 'south']) {
      const folder = await temporaryFolder()
      const enrolmentToken = await tokenOf(first)
      const budget = { epsilon: 8, delta: 1e-5 }
      sites.push(
        await startSite({ folder: folder.path, name, transport, enrolmentToken, budget, onLot: gate.counter() }),
      )
    }
    const { runId } = await post<{ runId: string }>(first.url, '/v1/runs', tinyRequest(REQUEST), first.operatorToken)
    const started = (nth: number) => Promise.all(sites.map((site) => site.told('round-started', nth)))
    gate.allow(LOCAL_STEPS)
    await started(2)
    await takeBackup(completeConfig({ stateDir: at('state') }), at('backup'))
    gate.allow(4 * LOCAL_STEPS)
    await started(5) // rounds 2 to 4 are published, and the sites hold in round 5
    const { port } = new URL(first.url)
    await first[Symbol.asyncDispose]()

    expect((await restoreBackup(at('backup'), at('restored'))).openRuns).toBe(1)
    await using second = await start({ stateDir: at('restored'), port: Number(port) })
    const ended = await until('the end', async () => {
      const snapshot = await snapshotOf(second, runId)
      return snapshot.state === 'completed' && snapshot
    })
    expect(ended.reason).toMatch(/every client has made round 2 already.*older than their ledgers.*with 1 of 6 rounds/)
    const codes = ended.alerts.map(({ code }) => code)
    expect(codes).toContain('COORDINATOR_RESTORED')
    expect(
      new Set(ended.alerts.filter(({ code }) => code === 'ROUNDS_AHEAD').map(({ clientId }) => clientId)).size,
    ).toBe(2)
    const { rounds } = await get<{ rounds: { round: number; received: number }[] }>(
      second.url,
      `/v1/runs/${runId}/rounds`,
      second.operatorToken,
    )
    expect(rounds.filter(({ received }) => received > 0).map(({ round, received }) => [round, received])).toEqual([
      [0, 2],
    ])
    // Each site has reserved the steps of five rounds; the coordinator charges those, and the round that it asked for
    // again.
    for (const [, count] of await charged(second, runId)) expect(count).toBeGreaterThanOrEqual(5 * LOCAL_STEPS)
    gate.allow(Number.POSITIVE_INFINITY) // a site tells of the end when its training has stopped
    for (const site of sites) {
      const { error } = await site.told('declined')
      expect(error).toMatchObject({ code: 'UPDATE_STALE' })
      expect(await site.told('run-ended')).toMatchObject({ state: 'completed', reason: ended.reason })
    }
  } finally {
    gate.allow(Number.POSITIVE_INFINITY)
    for (const site of sites) await site[Symbol.asyncDispose]()
  }
}, 120_000)

it('a site restored from an older state folder is refused, and nothing that it spent is forgotten', async () => {
  await using home = await temporaryFolder()
  const at = (...names: string[]) => path.join(home.path, ...names)
  await placeEmbeddedDatabase(at('state'))
  await using coordinator = await start({ stateDir: at('state') })
  const transport = networkTransport(coordinator.url)
  const budget = { epsilon: 8, delta: 1e-5 }
  const enrolmentToken = await tokenOf(coordinator)
  const gate = steps()
  const join = (enrol: { enrolmentToken?: string } = {}) =>
    startSite({ folder: at(), name: 'north', transport, budget, stateDir: at('site'), onLot: gate.counter(), ...enrol })
  const request = tinyRequest({ ...REQUEST, clientsPerRound: 1, quorum: 1, rounds: 3 })
  const { runId } = await post<{ runId: string }>(coordinator.url, '/v1/runs', request, coordinator.operatorToken)
  gate.allow(LOCAL_STEPS)
  const site = await join({ enrolmentToken })
  try {
    await site.told('round-started', 2)
    await cp(at('site'), at('older'), { recursive: true })
    gate.allow(2 * LOCAL_STEPS)
    await site.told('round-started', 3)
  } finally {
    gate.allow(Number.POSITIVE_INFINITY)
    await site[Symbol.asyncDispose]()
  }
  const before = await charged(coordinator, runId)
  await rm(at('site'), { recursive: true })
  await cp(at('older'), at('site'), { recursive: true })
  const site2 = join()
  const outcome = await site2.then(
    async (older) => {
      const { error } = await older.told('refused')
      await older[Symbol.asyncDispose]()
      return error.code
    },
    (error: { code?: string }) => error.code,
  )
  expect(outcome).toBe('LEDGER_MISMATCH')
  const { alerts } = await snapshotOf(coordinator, runId)
  expect(alerts.map(({ code }) => code)).toContain('LEDGER_MISMATCH')
  const after = await charged(coordinator, runId)
  expect([...after]).toEqual([...before])
  expect([...after.values()]).toEqual([3 * LOCAL_STEPS])
}, 120_000)
