/**
 * The constants of docs/explanation/capacity.md, measured on the real code.
 *
 *   npm run bench:capacity -- --database-url postgresql://postgres@127.0.0.1:5432/empty [--clients 10000] [--connections 200]
 *
 * The database must be empty; it is filled. Prints JSON: bytes of what crosses the wire for the starter model at rank
 * 8; one round of that many clients through the store, with its time, rows and bytes; and what a connection costs the
 * coordinator.
 */
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startCoordinator } from '../apps/server/src/index.ts'
import {
  chargePrivacy,
  encodeState,
  type RoundEvent,
  RoundJournal,
  schemaHashOf,
} from '../apps/server/src/rounds/index.ts'
import { openPostgresStore } from '../apps/server/src/storage/records/postgres/index.ts'
import { eventOfRound } from '../packages/core/src/accounting/index.ts'
import { initialState } from '../packages/core/src/lora/index.ts'
import { frameBytes, type RunManifest, runManifestSchema, updateSpecs } from '../packages/core/src/protocol/index.ts'
import { baseModels } from '../packages/engine/src/extensions/index.ts'
import { FakeClient, post, tinyModels, tinyRequest } from '../packages/testing/src/server/index.ts'

const SELF = fileURLToPath(import.meta.url)
const LABELS = ['ham', 'spam']
const TERMS = { declaredRecords: 1000, sampleRate: 0.01, noiseMultiplier: 1, budget: { epsilon: 8, delta: 1e-5 } }
const SHA = 'a'.repeat(64)
const bytesOf = (message: unknown): number => Buffer.byteLength(JSON.stringify(message))

async function starterManifest(): Promise<RunManifest> {
  const adapter = { rank: 8, alpha: 8, headMode: 'trained' as const }
  const schema = await baseModels.get('starter').adapterSchema({ adapter, classes: LABELS.length })
  const request = tinyRequest({
    model: { name: 'starter', maxTokens: 128 },
    labels: LABELS,
    adapter,
    target: TERMS.budget,
  })
  return runManifestSchema.parse({ ...request, runId: randomUUID(), adapter: schema })
}

function sizes(manifest: RunManifest) {
  const { runId, adapter, seed } = manifest
  const state = encodeState(manifest, schemaHashOf(adapter), initialState(adapter, { seed }))
  const event = eventOfRound(manifest, TERMS)
  return {
    updateBytes: frameBytes(updateSpecs(manifest)),
    stateBytes: state.length,
    offerBytes: bytesOf({ manifest }),
    invitationBytes: bytesOf({
      runId,
      round: 100,
      basis: 100,
      state: { sha256: SHA, bytes: state.length },
      uploadToken: 'x'.repeat(64),
      deadline: new Date().toISOString(),
    }),
    reportBytes: bytesOf({ runId, since: 100, reservations: [{ round: 100, attempt: 1, event }] }),
  }
}

/**
 * One round of many clients, as its driver stores it; updates are committed in groups, as they are when they come at
 * once.
 */
async function oneRound(databaseUrl: string, count: number) {
  await using store = await openPostgresStore(databaseUrl)
  const sql = new pg.Client(databaseUrl)
  await sql.connect()
  const manifest = await starterManifest()
  const { runId } = manifest
  const now = Date.now()
  await store.runs.create(
    { manifest, state: 'running', createdAt: now },
    { runId, number: 0, basis: 0, sha256: SHA, bytes: 1, publishedAt: now },
  )
  const { rows } = await sql.query<{ id: string }>(
    `INSERT INTO "Client" (id, name, "publicKey", "enrolledAt")
     SELECT gen_random_uuid(), 'client', 'key', now() FROM generate_series(1, $1) RETURNING id::text`,
    [count],
  )
  const clients = rows.map(({ id }) => id)
  const event = eventOfRound(manifest, TERMS)
  let commits = 0
  const book = await RoundJournal.open({
    load: () => store.rounds.find(runId, 0),
    change: (before, after) => chargePrivacy(before, after, () => event, now),
    save: (change) => {
      commits += 1
      return store.rounds.save(change)
    },
    onChange: () => {},
    onReload: async () => {},
  })
  const timed = async (events: readonly RoundEvent[]): Promise<number> => {
    const start = performance.now()
    await Promise.all(events.map((each) => book.dispatch(each)))
    return Math.round(performance.now() - start)
  }
  const update = { sha256: SHA, bytes: 1 }
  const plan = { quorum: count, clientsPerRound: count, deadlineSeconds: 3600 }
  const selectMs = await timed([{ type: 'selected', runId, round: 0, clients, plan, at: now }])
  const taskMs = await timed([{ type: 'tasked', at: now }])
  let deliverMs = 0
  for (let first = 0; first < count; first += GROUP) {
    const group = clients.slice(first, first + GROUP)
    deliverMs += await timed(group.map((clientId) => ({ type: 'delivered', clientId, update, at: now })))
  }
  const publishMs =
    (await timed([{ type: 'aggregated', result: { ...update, basis: 1 } }])) +
    (await timed([{ type: 'published', at: now }]))
  const loadStart = performance.now()
  await store.rounds.find(runId, 0)
  const loadMs = Math.round(performance.now() - loadStart)
  const bytes: Record<string, number> = {}
  for (const table of ['Task', 'Update', 'PrivacyEvent', 'Client']) {
    const size = await sql.query<{ size: string }>(`SELECT pg_total_relation_size('"${table}"') AS size`)
    bytes[table] = Math.round(Number(size.rows[0]!.size) / count)
  }
  await sql.end()
  return { clients: count, group: GROUP, commits, selectMs, taskMs, deliverMs, publishMs, loadMs, bytesPerRow: bytes }
}

/** How many updates are stored in one transaction here. */
const GROUP = 100

async function serveCoordinator(stateDir: string): Promise<void> {
  const limits = { requestsPerMinute: 1e6, refusalsPerMinute: 1e6 }
  const coordinator = await startCoordinator(
    { port: 0, stateDir, logLevel: 'error', ...limits },
    { models: tinyModels },
  )
  process.on('message', () => {
    globalThis.gc?.()
    const { heapUsed, rss, external } = process.memoryUsage()
    process.send?.({ heapUsed, rss, external })
  })
  process.send?.({ url: coordinator.url, operatorToken: coordinator.operatorToken })
}

/** Memory of the coordinator for one client that is connected and takes part in a run that has not begun. */
async function connectionCost(count: number) {
  const stateDir = mkdtempSync(join(tmpdir(), 'fedsvd-capacity-'))
  const child = fork(SELF, ['coordinator', stateDir], { execArgv: ['--import', 'tsx', '--expose-gc'] })
  try {
    const [{ url, operatorToken }] = (await once(child, 'message')) as [{ url: string; operatorToken: string }]
    const look = async () => {
      child.send('look')
      return ((await once(child, 'message')) as [{ heapUsed: number; rss: number }])[0]
    }
    await post(url, '/v1/runs', tinyRequest({ clientsPerRound: 5000, quorum: 5000 }), operatorToken)
    const request = { count, expiresInSeconds: 600 }
    const { tokens } = await post<{ tokens: string[] }>(url, '/v1/enrolment-tokens', request, operatorToken)
    const clients: FakeClient[] = []
    for (const token of tokens) clients.push(await FakeClient.enrol(url, token, 'client'))
    const [warm, rest] = [clients.slice(0, count / 4), clients.slice(count / 4)]
    for (const client of warm) await client.connect()
    const before = await look()
    for (const client of rest) await client.connect()
    const after = await look()
    for (const client of clients) client.disconnect()
    const each = (what: 'heapUsed' | 'rss'): number => Math.round((after[what] - before[what]) / rest.length)
    return { connections: rest.length, heapBytesEach: each('heapUsed'), rssBytesEach: each('rss'), rssBytes: after.rss }
  } finally {
    child.kill('SIGKILL')
    rmSync(stateDir, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'coordinator') await serveCoordinator(process.argv[3]!)
else {
  const { values } = parseArgs({
    options: {
      'database-url': { type: 'string' },
      clients: { type: 'string', default: '10000' },
      connections: { type: 'string', default: '200' },
    },
  })
  const databaseUrl = values['database-url']
  const measured = {
    wire: sizes(await starterManifest()),
    ...(databaseUrl !== undefined && { round: await oneRound(databaseUrl, Number(values.clients)) }),
    connection: await connectionCost(Number(values.connections)),
  }
  process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`)
}
