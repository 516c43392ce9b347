import { isFedsvdError } from '@fedsvd/core/errors'
import type { Invitation, RunManifest, RunSnapshot } from '@fedsvd/core/protocol'
import { startCoordinator } from '@fedsvd/server'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import {
  expectedAdapter,
  FakeClient,
  freshDatabase,
  get,
  post,
  postgresAnswers,
  temporaryFolder,
  tinyModels,
  tinyRequest,
  until,
} from '../apps/server/test-kit/index.ts'

/** Sends the same bytes until the coordinator has them, as a client does. */
async function uploadUntilTaken(client: FakeClient, invitation: Invitation): Promise<void> {
  await until('an acknowledgement', async () => {
    try {
      client.uploads.push({ round: invitation.round, reply: await client.upload(invitation) })
      return true
    } catch (error) {
      if (isFedsvdError(error, 'DATABASE_UNAVAILABLE')) return false
      throw error
    }
  })
}

describe.skipIf(!(await postgresAnswers()))('a database that goes away and comes back', () => {
  it('does not end the process, nor a run, nor count an update twice', async () => {
    await using folder = await temporaryFolder()
    await using database = await freshDatabase()
    const settings = { port: 0, stateDir: folder.path, databaseUrl: database.url, logLevel: 'silent' as const }
    await using coordinator = await startCoordinator(settings, { models: tinyModels })
    const { url, operatorToken } = coordinator
    const request = { count: 3, expiresInSeconds: 60 }
    const { tokens } = await post<{ tokens: string[] }>(url, '/v1/enrolment-tokens', request, operatorToken)
    const clients = await Promise.all(
      tokens.map((token, index) => FakeClient.enrol(url, token, `site ${index}`, { train: uploadUntilTaken })),
    )
    const { runId } = await post<RunManifest>(url, '/v1/runs', tinyRequest({ rounds: 8 }), operatorToken)
    await Promise.all(clients.map((client) => client.connect()))

    const admin = new pg.Client(database.url)
    await admin.connect()
    let cuts = 0
    const snapshot = await until(
      'the end of the run',
      async () => {
        const cut =
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
        const { rowCount } = await admin.query(cut)
        cuts += rowCount ?? 0
        await new Promise((resolve) => setTimeout(resolve, 40))
        const seen = await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken).catch((error: unknown) => {
          if (isFedsvdError(error, 'DATABASE_UNAVAILABLE')) return undefined
          throw error
        })
        return seen?.state === 'completed' && seen
      },
      50_000,
    )
    await admin.end()
    expect(cuts).toBeGreaterThan(8)
    expect(snapshot).toMatchObject({ roundsDone: 8, alerts: [] })
    expect(snapshot.adapter).toBe(expectedAdapter(snapshot, clients))
    expect(snapshot.clients.map(({ steps }) => steps)).toEqual([16, 16, 16])
    for (const client of clients) {
      expect(client.errors).toEqual([])
      client.disconnect()
    }
  })
})
