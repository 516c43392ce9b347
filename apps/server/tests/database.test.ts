import { describe, expect, it } from 'vitest'
import { isFedsvdError } from '../../../packages/core/src/errors.ts'
import type { RunManifest, RunSnapshot } from '../../../packages/core/src/protocol/index.ts'
import {
  cuttableProxy,
  enrolClients,
  expectedAdapter,
  type FakeClient,
  freshDatabase,
  get,
  post,
  postgresAnswers,
  temporaryFolder,
  tinyModels,
  tinyRequest,
  trainAndUpload,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { type CoordinatorSettings, startCoordinator } from '../src/index.ts'

const ROUNDS = 6
const PATIENCE_MS = 60_000

/** Trains as a client node does: what is not answered is sent again. */
async function persistently(client: FakeClient, ...[invitation]: FakeClient['invitations']): Promise<void> {
  for (;;) {
    try {
      return await trainAndUpload(client, invitation!)
    } catch (error) {
      if (!isFedsvdError(error, 'DATABASE_UNAVAILABLE')) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

describe.skipIf(!(await postgresAnswers()))('a coordinator whose PostgreSQL goes away and comes back', () => {
  it('outlives it, says so, and finishes the run with each update counted once', {
    timeout: 4 * PATIENCE_MS,
  }, async () => {
    await using database = await freshDatabase()
    await using folder = await temporaryFolder()
    const url = new URL(database.url)
    await using proxy = await cuttableProxy({ host: url.hostname, port: Number(url.port) })
    url.port = String(proxy.port)
    const settings: CoordinatorSettings = {
      port: 0,
      stateDir: folder.path,
      logLevel: 'silent',
      gatherSeconds: 60,
      databaseUrl: url.href,
    }
    await using coordinator = await startCoordinator(settings, { models: tinyModels })
    const { operatorToken } = coordinator
    const clients = await enrolClients(coordinator.url, operatorToken, 3, { train: persistently })
    const { runId } = await post<RunManifest>(
      coordinator.url,
      '/v1/runs',
      tinyRequest({ rounds: ROUNDS }),
      operatorToken,
    )
    const snapshot = () => get<RunSnapshot>(coordinator.url, `/v1/runs/${runId}`, operatorToken)
    // Away while the first round waits for its last client, and again in the middle of the run.
    await clients[0]!.connect()
    await clients[1]!.connect()
    proxy.cut()
    await until('a coordinator that is not ready', async () => {
      return (await fetch(`${coordinator.url}/readyz`)).status === 503
    })
    expect((await fetch(`${coordinator.url}/healthz`)).status).toBe(200)
    await expect(snapshot()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    proxy.mend()
    await until('the last client to be let in', () =>
      clients[2]!.connect().then(
        () => true,
        () => false,
      ),
    )
    for (let published = 1; published < ROUNDS; published += 2) {
      // A coordinator that has just lost its database waits a while before it looks again.
      await until('a published round', async () => (await snapshot()).roundsDone >= published, PATIENCE_MS)
      proxy.cut()
      await until('an outage', async () => (await fetch(`${coordinator.url}/readyz`)).status === 503)
      proxy.mend()
    }
    const last = await until(
      'the end of the run',
      async () => {
        const seen = await snapshot().catch(() => undefined)
        return seen?.state === 'completed' && seen
      },
      PATIENCE_MS,
    )
    expect(last.adapter).toBe(expectedAdapter(last, clients))
    expect(last.clients.map(({ steps }) => steps)).toEqual([2 * ROUNDS, 2 * ROUNDS, 2 * ROUNDS])
    for (const client of clients) client.disconnect()
  })
})
