import path from 'node:path'
import { isFedsvdError } from '@fedsvd/core/errors'
import type { Invitation, RunManifest, RunRequest, RunSnapshot } from '@fedsvd/core/protocol'
import type { CoordinatorSettings } from '@fedsvd/server'
import pg from 'pg'
import { type CoordinatorProcess, startCoordinatorProcess } from './coordinator-process.ts'
import { freshDatabase } from './databases.ts'
import { enrolClients, type FakeClient, get, post, trainAndUpload } from './fake-client.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { tinyRequest } from './tiny-model.ts'
import { until } from './until.ts'

const OPERATOR_TOKEN = 'operator-token-of-the-cluster-under-test'
const PATIENCE_MS = 120_000
/** What a client sends again later. */
const RETRYABLE_CODES = ['DATABASE_UNAVAILABLE', 'COORDINATOR_UNREACHABLE', 'LEASE_LOST', 'TOKEN_INVALID'] as const

/** Coordinators in processes of their own, on one PostgreSQL database and one folder of tensors. */
export interface TestCluster extends AsyncDisposable {
  readonly operatorToken: string
  start(settings?: CoordinatorSettings): Promise<CoordinatorProcess>
  clients(at: CoordinatorProcess, count: number, train?: Train): Promise<FakeClient[]>
  createRun(at: CoordinatorProcess, changes?: Partial<RunRequest>): Promise<RunManifest>
  snapshot(at: CoordinatorProcess, runId: string): Promise<RunSnapshot>
  /** The first snapshot that is as asked. */
  seen(
    at: CoordinatorProcess,
    runId: string,
    what: string,
    test: (snapshot: RunSnapshot) => boolean,
  ): Promise<RunSnapshot>
  query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]>
}

export type Train = (client: FakeClient, invitation: Invitation) => Promise<void>

export async function testCluster(shared: CoordinatorSettings = {}): Promise<TestCluster> {
  const database = await freshDatabase()
  const folder = await temporaryFolder()
  const admin = new pg.Client(database.url)
  await admin.connect()
  const processes: CoordinatorProcess[] = []
  const everyone: FakeClient[] = []
  const snapshot = (at: CoordinatorProcess, runId: string) =>
    get<RunSnapshot>(at.url, `/v1/runs/${runId}`, OPERATOR_TOKEN)
  return {
    operatorToken: OPERATOR_TOKEN,
    snapshot,
    async start(settings = {}) {
      const started = await startCoordinatorProcess({
        port: 0,
        databaseUrl: database.url,
        stateDir: path.join(folder.path, `state-${processes.length}`),
        blobs: path.join(folder.path, 'blobs'),
        operatorToken: OPERATOR_TOKEN,
        uploadSecret: 'upload-secret-of-the-cluster-under-test',
        statementKey: 'statement-key-of-the-cluster-under-test-000'.padEnd(43, '0'),
        logLevel: 'warn',
        gatherSeconds: 60,
        graceSeconds: 1,
        ...shared,
        ...settings,
      })
      processes.push(started)
      return started
    },
    async clients(at, count, train = persistently) {
      const clients = await enrolClients(at.url, OPERATOR_TOKEN, count, { train })
      everyone.push(...clients)
      return clients
    },
    createRun: (at, changes) => post<RunManifest>(at.url, '/v1/runs', tinyRequest(changes), OPERATOR_TOKEN),
    seen: (at, runId, what, test) =>
      until(
        what,
        async () => {
          const current = await snapshot(at, runId).catch(() => undefined)
          return current !== undefined && test(current) && current
        },
        PATIENCE_MS,
      ),
    query: async (sql) => (await admin.query(sql)).rows,
    async [Symbol.asyncDispose]() {
      for (const client of everyone) client.disconnect()
      for (const process of processes) await process[Symbol.asyncDispose]()
      await admin.end()
      await folder[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Trains as a client node does: what is not answered for good is sent again. */
export async function persistently(client: FakeClient, invitation: Invitation): Promise<void> {
  for (;;) {
    try {
      return await trainAndUpload(client, invitation)
    } catch (error) {
      const isRetryable = isFedsvdError(error) ? RETRYABLE_CODES.some((code) => code === error.code) : true
      if (!isRetryable) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Something that trainings wait for. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}
