/**
 * How many updates a coordinator takes in: null training on loopback, clients in processes of their own, every update
 * on disk and every round committed to the database before it counts, exactly as in earnest.
 *
 *   npx tsx bench/coordinator.ts [--json] [--cases 4x41k,10x41k] [--seconds 10] [--database-url postgresql://...]
 *
 * Prints `{ cases: [{ clients, floats, rounds, roundsPerSecond, updatesPerSecond, cpuMsPerUpdate, clientCpuMsPerUpdate,
 * peakRssMb }] }`; memory and the first time are those of the coordinator's process, the second that of all client
 * processes. Processor time tells more than the clock where other work shares the machine. The first seconds and rounds
 * of each case are not counted: the code is compiled then, on both sides. With a database URL each case gets a database
 * of its own on that server.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startCoordinator } from '../apps/server/src/index.ts'
import { type Model, registryOf } from '../apps/server/src/models/index.ts'
import type { RunManifest, RunRequest, RunSnapshot } from '../packages/core/src/protocol/index.ts'
import { get, post } from '../packages/testing/src/server/fake-client.ts'
import { until } from '../packages/testing/src/server/until.ts'
import { answerUsage, type Usage } from './usage.ts'

const SELF = fileURLToPath(import.meta.url)
/**
 * A program of its own: what it does is done on other machines in earnest, so it takes as little of this one as it can.
 */
const CLIENTS = fileURLToPath(new URL('./coordinator-clients.ts', import.meta.url))
/** Else the frames of the clients pile up until their whole memory is searched, several times a second. */
const BUFFERS_DIE_YOUNG = ['--max-semi-space-size=1']
const CASES = '4x41k,10x41k,10x1M,50x41k,100x41k'
const WARM_UP = { rounds: 3, seconds: 15 }
const CLIENT_PROCESSES = 2
const RANK = 8

/** A model with one adapted layer and this many trained numbers, that reads and computes nothing. */
function nullModel(floats: number): Model {
  return {
    name: 'null',
    maxTokens: 1,
    adapterSchema: async () => ({
      rank: RANK,
      alpha: RANK,
      headMode: 'trained',
      layers: [{ name: 'layer', dIn: 512, dOut: floats / RANK - 1 }],
      head: [{ name: 'head', shape: [RANK] }],
    }),
    loadTokenizer: () => Promise.reject(new Error('the null model reads no text')),
    createEngine: () => Promise.reject(new Error('the null model computes nothing')),
  }
}

function requestOf(clients: number, rounds: number): RunRequest {
  return {
    name: 'bench',
    method: 'fedsvd',
    model: { name: 'null', maxTokens: 1 },
    labels: ['a', 'b'],
    adapter: { rank: RANK, alpha: RANK, headMode: 'trained' },
    rounds,
    localSteps: 1,
    expectedLotSize: 10,
    clipNorm: 1,
    learningRate: 0.1,
    momentum: 0,
    target: { epsilon: 900, delta: 1e-5 },
    maxNoiseRatio: 100,
    clientsPerRound: clients,
    quorum: clients,
    deadlineSeconds: 3600,
    seed: 'bench',
  }
}

async function serveCoordinator(floats: number, stateDir: string, databaseUrl?: string): Promise<void> {
  const unlimited = { requestsPerMinute: 1e6, refusalsPerMinute: 1e6, transfersPerMinute: 1e6, reportsPerMinute: 1e6 }
  const settings = { port: 0, stateDir, logLevel: 'error' as const, ...unlimited }
  const coordinator = await startCoordinator(
    { ...settings, ...(databaseUrl !== undefined && { databaseUrl }) },
    { models: registryOf([nullModel(floats)]) },
  )
  const { url, operatorToken } = coordinator
  process.send?.({ url, operatorToken })
  answerUsage()
}

async function usageOf(host: ChildProcess): Promise<Usage> {
  host.send('usage')
  const [usage] = (await once(host, 'message')) as [Usage]
  return usage
}

async function child(
  program: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<{ process: ChildProcess; said: unknown }> {
  const started = fork(program, args, { execArgv: ['--import', 'tsx', ...flags] })
  const [said] = (await once(started, 'message')) as [unknown]
  return { process: started, said }
}

interface Measured {
  readonly clients: number
  readonly floats: number
  readonly rounds: number
  readonly roundsPerSecond: number
  readonly updatesPerSecond: number
  readonly cpuMsPerUpdate: number
  readonly clientCpuMsPerUpdate: number
  readonly peakRssMb: number
}

async function measure(
  { clients, floats, seconds }: { clients: number; floats: number; seconds: number },
  stateDir: string,
  databaseUrl?: string,
): Promise<Measured> {
  await using own = databaseUrl === undefined ? undefined : await databaseOn(databaseUrl)
  const database = own === undefined ? [] : [own.url]
  const coordinator = await child(SELF, ['coordinator', String(floats), stateDir, ...database])
  const { url, operatorToken } = coordinator.said as { url: string; operatorToken: string }
  const tokens = await enrolmentTokens(url, operatorToken, clients)
  const share = Math.ceil(clients / CLIENT_PROCESSES)
  const hosts = await Promise.all(
    Array.from({ length: Math.ceil(clients / share) }, (_, index) =>
      child(CLIENTS, [url, ...tokens.slice(index * share, (index + 1) * share)], BUFFERS_DIE_YOUNG),
    ),
  )
  try {
    const request = requestOf(clients, 100_000)
    const { runId } = await post<RunManifest>(url, '/v1/runs', request, operatorToken)
    const done = async () => (await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)).roundsDone
    await sleep(1000 * WARM_UP.seconds)
    await until('the first rounds', async () => (await done()) >= WARM_UP.rounds, 120_000)
    const warm = await done()
    const all = [coordinator, ...hosts].map((host) => host.process)
    const before = await Promise.all(all.map(usageOf))
    const start = performance.now()
    await sleep(1000 * seconds)
    const rounds = (await done()) - warm
    const elapsed = (performance.now() - start) / 1000
    const after = await Promise.all(all.map(usageOf))
    const [own, ...others] = after.map(({ cpuMs }, index) => cpuMs - before[index]!.cpuMs)
    const perUpdate = (cpuMs: number) => Math.round((100 * cpuMs) / (rounds * clients)) / 100
    const roundsPerSecond = Math.round((100 * rounds) / elapsed) / 100
    return {
      clients,
      floats,
      rounds,
      roundsPerSecond,
      updatesPerSecond: Math.round(roundsPerSecond * clients),
      cpuMsPerUpdate: perUpdate(own!),
      clientCpuMsPerUpdate: perUpdate(others.reduce((sum, cpuMs) => sum + cpuMs, 0)),
      peakRssMb: after[0]!.peakRssMb,
    }
  } finally {
    for (const host of [...hosts, coordinator]) host.process.kill('SIGKILL')
  }
}

/** A new database on the server, dropped when disposed: what another run left behind would be taken up again. */
async function databaseOn(server: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const name = `fedsvd_bench_${randomUUID().replaceAll('-', '')}`
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client(server)
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }
  await run(`CREATE DATABASE "${name}"`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, [Symbol.asyncDispose]: () => run(`DROP DATABASE "${name}" WITH (FORCE)`) }
}

async function enrolmentTokens(url: string, operatorToken: string, count: number): Promise<string[]> {
  const request = { count, expiresInSeconds: 600 }
  return (await post<{ tokens: string[] }>(url, '/v1/enrolment-tokens', request, operatorToken)).tokens
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'coordinator') await serveCoordinator(Number(rest[0]), rest[1]!, rest[2])
else {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      cases: { type: 'string', default: CASES },
      seconds: { type: 'string', default: '10' },
      'database-url': { type: 'string' },
    },
  })
  // Removed at the end: ext4 looks through what was deleted in the last minutes whenever it makes a file, 15 times as
  // long.
  const folder = mkdtempSync(join(tmpdir(), 'fedsvd-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const cases: Measured[] = []
  for (const text of values.cases.split(',')) {
    const [, clients, count, unit] = /^(\d+)x(\d+)([kM])$/.exec(text) ?? []
    const floats = RANK * Math.round((Number(count) * (unit === 'M' ? 1e6 : 1e3)) / RANK)
    const size = { clients: Number(clients), floats, seconds: Number(values.seconds) }
    const measured = await measure(size, join(folder, text), values['database-url'])
    cases.push(measured)
    const { roundsPerSecond, updatesPerSecond, cpuMsPerUpdate, clientCpuMsPerUpdate, peakRssMb } = measured
    const line = `${text.padEnd(8)} ${roundsPerSecond} rounds/s, ${updatesPerSecond} updates/s, peak ${peakRssMb} MiB; processor ms an update: coordinator ${cpuMsPerUpdate}, clients ${clientCpuMsPerUpdate}`
    if (!values.json) console.log(line)
  }
  if (values.json) console.log(JSON.stringify({ cases }))
}
