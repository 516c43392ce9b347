/**
 * Does a coordinator live for ever? Thousands of rounds of null training with tiny updates against one coordinator, on
 * disk and in the database as in earnest; clients that go and come back; and a look at what the process holds at every
 * so many rounds.
 *
 *   npm run soak:coordinator -- [--rounds 2000] [--clients 3] [--samples 40] [--database-url postgresql://...] [--json]
 *
 * A line is fitted to the samples of the second half, when everything that fills up once has filled up. It fails, with
 * exit code 1, where a slope is above its bound: those of memory are per round, handles and open files must not grow at
 * all, and each table grows by exactly as many rows a round as the round has facts (with --database-url only).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startCoordinator } from '../apps/server/src/index.ts'
import type { RunManifest, RunSnapshot } from '../packages/core/src/protocol/index.ts'
import { FakeClient, get, post, tinyModels, tinyRequest, until } from '../packages/testing/src/server/index.ts'
import { nullTraining } from './null-training.ts'

const SELF = fileURLToPath(import.meta.url)
/** One client goes and comes back in so many rounds. */
const ROUNDS_PER_VISIT = 20
const PATIENCE_MS = 24 * 3_600_000

/**
 * Growth per round that is let pass. The caches of the accountant fill up to 20,000 bounds: some hundred bytes a round.
 */
const BOUNDS = { heapBytes: 2000, rssBytes: 8000, handles: 0.001, openFiles: 0.001 } as const
/** Rows that each round adds, per client; an adapter and the round itself are added once. */
const TABLES = { Round: 'round', Adapter: 'round', Task: 'client', Update: 'client', PrivacyEvent: 'client' } as const

interface Held {
  readonly heapBytes: number
  readonly rssBytes: number
  readonly handles: number
  readonly openFiles: number
}
interface Sample extends Held {
  readonly round: number
}

async function serveCoordinator(stateDir: string, databaseUrl?: string): Promise<void> {
  const unlimited = { requestsPerMinute: 1e6, refusalsPerMinute: 1e6, transfersPerMinute: 1e6, reportsPerMinute: 1e6 }
  // A second of the soak stands for a minute: what is kept for an hour must have its end within it.
  const collection = { collectSeconds: 60, collectGraceSeconds: 60 }
  const settings = { port: 0, stateDir, logLevel: 'error' as const, ...unlimited, ...collection }
  const coordinator = await startCoordinator(
    { ...settings, ...(databaseUrl !== undefined && { databaseUrl }) },
    { models: tinyModels },
  )
  const { url, operatorToken } = coordinator
  process.on('message', (message) => {
    if (message === 'stop') void coordinator[Symbol.asyncDispose]().then(() => process.disconnect())
    else process.send?.(held(stateDir))
  })
  process.send?.({ url, operatorToken })
}

function held(stateDir: string): Held {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    // Sockets of requests under way come and go; what a leak would pile up is counted all the same.
    handles: process.getActiveResourcesInfo().length,
    openFiles: openFiles(join(stateDir, 'database', 'data')),
  }
}

/** The embedded database opens the files of its tables as they grow: those are its own. */
function openFiles(databaseFolder: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return !readlinkSync(`/proc/self/fd/${fd}`).startsWith(databaseFolder)
    } catch {
      return false // the one that the folder was read with
    }
  }).length
}

/** Clients that train nothing and send noise; they reconnect by turns. */
async function serveClients(url: string, tokens: readonly string[]): Promise<void> {
  for (const [index, token] of tokens.entries()) {
    const client = await FakeClient.enrol(url, token, `client ${index}`, {
      train: async (self, invitation) => {
        await forgetfulTraining(self, invitation)
        if (invitation.round % ROUNDS_PER_VISIT !== index) return
        self.disconnect()
        await self.connect()
      },
    })
    await client.connect()
  }
  process.send?.('connected')
}

async function forgetfulTraining(client: FakeClient, invitation: FakeClient['invitations'][number]): Promise<void> {
  client.invitations.length = 0 // this process has to live as long
  await nullTraining(client, invitation)
}

async function child(args: readonly string[], flags: readonly string[] = []) {
  const started: ChildProcess = fork(SELF, args, { execArgv: ['--import', 'tsx', ...flags] })
  const [said] = (await once(started, 'message')) as [unknown]
  return { process: started, said }
}

/** Least squares through (round, value): growth per round. */
function slopeOf(samples: readonly Sample[], what: keyof Held): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [rounds, values] = [samples.map(({ round }) => round), samples.map((sample) => sample[what])]
  const [x, y] = [mean(rounds), mean(values)]
  const covariance = mean(rounds.map((round, index) => (round - x) * (values[index]! - y)))
  return covariance / mean(rounds.map((round) => (round - x) ** 2))
}

async function countRows(query: (sql: string) => Promise<readonly unknown[]>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of Object.keys(TABLES)) {
    const [row] = await query(`SELECT count(*)::int AS count FROM "${table}"`)
    counts[table] = (row as { count: number }).count
  }
  return counts
}

/** Nothing for the embedded database, which answers to its coordinator only. */
async function rowsLeft(databaseUrl: string | undefined): Promise<Record<string, number>> {
  if (databaseUrl === undefined) return {}
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const counts = await countRows(async (sql) => (await client.query(sql)).rows)
  await client.end()
  return counts
}

interface SoakOptions {
  readonly rounds: number
  readonly clients: number
  readonly samples: number
  readonly databaseUrl: string | undefined
  readonly onSample: (sample: Sample) => void
}

async function soak({ rounds, clients, samples, databaseUrl, onSample }: SoakOptions) {
  const stateDir = mkdtempSync(join(tmpdir(), 'fedsvd-soak-'))
  const database = databaseUrl === undefined ? [] : [databaseUrl]
  const before = databaseUrl === undefined ? undefined : await rowsLeft(databaseUrl).catch(() => undefined)
  const coordinator = await child(['coordinator', stateDir, ...database], ['--expose-gc'])
  const { url, operatorToken } = coordinator.said as { url: string; operatorToken: string }
  const request = { count: clients, expiresInSeconds: 600 }
  const { tokens } = await post<{ tokens: string[] }>(url, '/v1/enrolment-tokens', request, operatorToken)
  const host = await child(['clients', url, ...tokens])
  const started = performance.now()
  try {
    const run = { rounds, localSteps: 1, clientsPerRound: clients, quorum: clients, deadlineSeconds: 3600 }
    const changes = { ...run, target: { epsilon: 900, delta: 1e-5 } }
    const { runId } = await post<RunManifest>(url, '/v1/runs', tinyRequest(changes), operatorToken)
    const taken: Sample[] = []
    for (let next = 1; next <= samples; next += 1) {
      const wanted = Math.floor((next * rounds) / samples)
      const round = await until(`round ${wanted}`, () => roundsDone(url, runId, operatorToken, wanted), PATIENCE_MS)
      coordinator.process.send('look')
      const [now] = (await once(coordinator.process, 'message')) as [Held]
      taken.push({ round, ...now })
      onSample(taken.at(-1)!)
    }
    const { state, reason } = await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
    if (state !== 'completed') throw new Error(`the run has ended as ${state}: ${reason}`)
    const seconds = (performance.now() - started) / 1000
    coordinator.process.send('stop')
    await once(coordinator.process, 'exit')
    const after = await rowsLeft(databaseUrl)
    return { taken, seconds, rows: grownBy(after, before) }
  } finally {
    for (const each of [host, coordinator]) each.process.kill('SIGKILL')
    rmSync(stateDir, { recursive: true, force: true })
  }
}

/** Looks by way of a page of one round, so that looking stays cheap however many there are. */
async function roundsDone(url: string, runId: string, token: string, wanted: number): Promise<number | undefined> {
  await new Promise((resolve) => setTimeout(resolve, 100))
  const page = `/v1/runs/${runId}/rounds?since=${wanted - 1}&limit=1`
  const { rounds } = await get<{ rounds: readonly { round: number; state: string }[] }>(url, page, token)
  return rounds[0]?.state === 'published' ? wanted : undefined
}

function grownBy(after: Record<string, number>, before: Record<string, number> = {}): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([table, count]) => [table, count - (before[table] ?? 0)]))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '2000' },
      clients: { type: 'string', default: '3' },
      samples: { type: 'string', default: '40' },
      'database-url': { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const [rounds, clients, samples] = [Number(values.rounds), Number(values.clients), Number(values.samples)]
  if (clients >= ROUNDS_PER_VISIT)
    throw new RangeError(`fewer than ${ROUNDS_PER_VISIT} clients, so that one visits at a time`)
  const tell = (line: string): void => void (values.json || process.stdout.write(`${line}\n`))
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
  const onSample = ({ round, heapBytes, rssBytes, handles, openFiles }: Sample): void =>
    tell(
      `round ${String(round).padStart(6)}  heap ${mib(heapBytes)} MiB  rss ${mib(rssBytes)} MiB  handles ${handles}  files ${openFiles}`,
    )
  const databaseUrl = values['database-url']
  const { taken, seconds, rows } = await soak({ rounds, clients, samples, databaseUrl, onSample })
  const secondHalf = taken.filter(({ round }) => round > rounds / 2)
  const faults: string[] = []
  const slopes: Partial<Record<keyof Held, number>> = {}
  for (const [what, bound] of Object.entries(BOUNDS) as [keyof Held, number][]) {
    const slope = slopeOf(secondHalf, what)
    slopes[what] = slope
    tell(`${what.padEnd(10)} grows by ${slope.toFixed(4)} a round in the second half; at most ${bound}`)
    if (!(slope <= bound)) faults.push(`${what} grows by ${slope} a round, more than ${bound}`)
  }
  for (const [table, per] of databaseUrl === undefined ? [] : Object.entries(TABLES)) {
    const expected = rounds * (per === 'client' ? clients : 1) + (table === 'Adapter' ? 1 : 0)
    tell(`${table.padEnd(12)} ${rows[table]} rows more; ${expected} expected`)
    if (rows[table] !== expected) faults.push(`${table} has grown by ${rows[table]} rows in place of ${expected}`)
  }
  tell(`${rounds} rounds in ${Math.round(seconds)} s`)
  if (values.json)
    process.stdout.write(`${JSON.stringify({ rounds, clients, seconds, samples: taken, slopes, rows, faults })}\n`)
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'coordinator') await serveCoordinator(rest[0]!, rest[1])
else if (role === 'clients') await serveClients(rest[0]!, rest.slice(1))
else await main()
