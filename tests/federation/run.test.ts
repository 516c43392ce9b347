import { describe, expect, it } from 'vitest'
import { type CoordinatorSettings, startCoordinator } from '../../apps/server/src/index.ts'
import type { RunManifest, RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import {
  enrolClients,
  expectedAdapter,
  type FakeClient,
  freshDatabase,
  get,
  placeEmbeddedDatabase,
  post,
  postgresAnswers,
  startCoordinatorProcess,
  temporaryFolder,
  tinyModels,
  tinyRequest,
  until,
} from '../../packages/testing/src/server/index.ts'

const DATABASES: readonly [string, boolean][] = [
  ['PGlite', true],
  ['PostgreSQL', await postgresAnswers()],
]

/** A state folder, and a database where the embedded one is not meant. */
async function place(database: string) {
  const folder = await temporaryFolder()
  if (database === 'PGlite') await placeEmbeddedDatabase(folder.path)
  const postgres = database === 'PostgreSQL' ? await freshDatabase() : undefined
  const settings: CoordinatorSettings = { port: 0, stateDir: folder.path, logLevel: 'error', gatherSeconds: 60 }
  return {
    settings: postgres === undefined ? settings : { ...settings, databaseUrl: postgres.url },
    async [Symbol.asyncDispose]() {
      await postgres?.[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function ended(url: string, operatorToken: string, runId: string): Promise<RunSnapshot> {
  return await until('the end of the run', async () => {
    const snapshot = await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
    return snapshot.state !== 'waiting' && snapshot.state !== 'running' && snapshot
  })
}

for (const [database, isAvailable] of DATABASES) {
  describe.skipIf(!isAvailable)(`a run with fake clients on ${database}`, () => {
    it('counts every update once and shows the spending of every client', async () => {
      await using at = await place(database)
      await using coordinator = await startCoordinator(at.settings, { models: tinyModels })
      const { url, operatorToken } = coordinator
      const clients = await enrolClients(url, operatorToken, 3)
      const manifest = await post<RunManifest>(url, '/v1/runs', tinyRequest(), operatorToken)
      await Promise.all(clients.map((client) => client.connect()))
      const snapshot = await ended(url, operatorToken, manifest.runId)
      expect(snapshot).toMatchObject({ state: 'completed', roundsDone: 3, alerts: [], manifest })
      const everyone = clients.map(({ clientId }) => clientId).sort()
      expect(snapshot.rounds.map(({ clients: counted }) => counted)).toEqual([everyone, everyone, everyone])
      expect(snapshot.adapter).toBe(expectedAdapter(snapshot, clients))
      for (const { steps, epsilonUpperBound, budget } of snapshot.clients) {
        expect(steps).toBe(3 * 2) // rounds x local steps
        expect(epsilonUpperBound).toBeGreaterThan(0)
        expect(epsilonUpperBound).toBeLessThanOrEqual(budget)
      }
      for (const client of clients) {
        expect(client.errors).toEqual([])
        await until('the end at the client', () => client.ended.length > 0)
        expect(client.ended).toEqual([{ runId: manifest.runId, state: 'completed' }])
        client.disconnect()
      }
    })

    it('finishes the same run after SIGKILL in three different rounds, with each update counted once', async () => {
      await using at = await place(database)
      let coordinator = await startCoordinatorProcess(at.settings)
      const settings = { ...at.settings, port: Number(new URL(coordinator.url).port) }
      try {
        const { url, operatorToken } = coordinator
        // What each kill waits for, by round: invitations only; one update accepted; all uploads sent at once.
        const held: (() => void)[] = []
        let hold: 'all' | 'second' | 'none' = 'all'
        const options = {
          async train(client: FakeClient, invitation: Parameters<FakeClient['upload']>[0]) {
            if (hold === 'all' || (hold === 'second' && client !== clients[0])) {
              await new Promise<void>((release) => held.push(release))
            }
            client.uploads.push({ round: invitation.round, reply: await client.upload(invitation) })
          },
        }
        const clients = await enrolClients(url, operatorToken, 3, options)
        const { runId } = await post<RunManifest>(url, '/v1/runs', tinyRequest({ rounds: 4 }), operatorToken)
        const connectAll = () => Promise.all(clients.map((client) => client.connect()))
        const restart = async () => {
          await coordinator.kill()
          for (const client of clients) client.disconnect()
          held.length = 0
          coordinator = await startCoordinatorProcess(settings)
        }
        await connectAll()

        await until('invitations to round 0', () => clients.every(({ invitations }) => invitations.length === 1))
        const first = clients.map(({ invitations: [invitation] }) => invitation!)
        await restart()
        hold = 'second'
        await connectAll()
        await until('the invitations again', () => clients.every(({ invitations }) => invitations.length === 2))
        expect(clients.map(({ invitations }) => invitations[1])).toEqual(first) // the token and the state included

        await until('one accepted update', () => clients[0]!.uploads.length === 1)
        await restart()
        hold = 'none'
        const duplicate = await clients[0]!.upload(first[0]!)
        expect(duplicate.status).toBe('duplicate') // it was acknowledged before the kill, so it is there after it
        await connectAll()

        await until('an update of round 2', () =>
          clients.some(({ uploads }) => uploads.some(({ round }) => round === 2)),
        )
        await restart()
        await connectAll()
        const snapshot = await ended(coordinator.url, operatorToken, runId)
        expect(snapshot).toMatchObject({ state: 'completed', roundsDone: 4 })
        expect(snapshot.rounds.map(({ clients: counted }) => counted.length)).toEqual([3, 3, 3, 3])
        expect(snapshot.adapter).toBe(expectedAdapter(snapshot, clients))
        // an invitation that is repeated costs nothing
        expect(snapshot.clients.map(({ steps }) => steps)).toEqual([8, 8, 8])
        for (const client of clients) client.disconnect()
        expect(await coordinator.stop()).toBe(0)
      } finally {
        await coordinator[Symbol.asyncDispose]()
      }
    })
  })
}
