/**
 * Does a coordinator go on answering while one enrolled client sends all it may? A process of its own with the embedded
 * database; the client reports poisoned, enormous, far-ahead and contradicting ledgers, states impossible terms at each
 * new connection, uploads nonsense, and tells of failures without end. Meanwhile a thread asks for /healthz.
 *
 *   npm run bench:hostile-client -- [--seconds 600] [--json]
 *
 * It fails, with exit code 1, where an answer of /healthz took more than 100 ms at the 99th percentile, where the run
 * of the honest clients did not go on, or where the coordinator died.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { startCoordinator } from '../apps/server/src/index.ts'
import { eventOfRound, type PrivacyEvent } from '../packages/core/src/accounting/index.ts'
import type { RunManifest, RunSnapshot } from '../packages/core/src/protocol/index.ts'
import { FakeClient, get, post, tinyModels, tinyRequest } from '../packages/testing/src/server/index.ts'

const SELF = fileURLToPath(import.meta.url)
const LONGEST_ANSWER_MS = 100
const ROUNDS = 10_000

/** Asks again and again, and says how long each answer took, in milliseconds. Plain JavaScript: it runs in a thread. */
const PROBE = `
const { parentPort, workerData } = require('node:worker_threads')
const times = []
let isOver = false
parentPort.on('message', () => { isOver = true })
void (async () => {
  while (!isOver) {
    const begun = performance.now()
    await fetch(workerData + '/healthz').then((reply) => reply.text(), () => times.push(Infinity))
    times.push(performance.now() - begun)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  parentPort.postMessage(times)
  parentPort.close()
})()`

if (process.argv.includes('--serve')) await serve()
else await measure()

async function serve(): Promise<void> {
  const stateDir = process.argv[process.argv.indexOf('--serve') + 1]!
  const settings = { port: 0, stateDir, logLevel: 'silent' as const, gatherSeconds: 0.2 }
  const { url, operatorToken } = await startCoordinator(settings, { models: tinyModels })
  process.send!({ url, operatorToken })
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '600' }, json: { type: 'boolean', default: false } },
  })
  const stateDir = mkdtempSync(join(tmpdir(), 'fedsvd-hostile-'))
  const coordinator = fork(SELF, ['--serve', stateDir], { execArgv: ['--import', 'tsx'] })
  try {
    const [{ url, operatorToken }] = (await once(coordinator, 'message')) as [{ url: string; operatorToken: string }]
    const result = await siege(coordinator, url, operatorToken, 1000 * Number(values.seconds))
    console.log(values.json ? JSON.stringify(result) : textOf(result))
    process.exitCode = result.p99Ms <= LONGEST_ANSWER_MS && result.roundsDone > 0 && result.isAlive ? 0 : 1
  } finally {
    coordinator.kill('SIGKILL')
    rmSync(stateDir, { recursive: true, force: true })
  }
  process.exit()
}

interface Siege {
  readonly messages: number
  readonly answers: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
  readonly roundsDone: number
  readonly alerts: number
  readonly isAlive: boolean
}

async function siege(coordinator: ChildProcess, url: string, token: string, forMs: number): Promise<Siege> {
  const enrol = async (name: string, options = {}): Promise<FakeClient> => {
    const { tokens } = await post<{ tokens: [string] }>(
      url,
      '/v1/enrolment-tokens',
      { count: 1, expiresInSeconds: 60 },
      token,
    )
    return await FakeClient.enrol(url, tokens[0], name, options)
  }
  const request = tinyRequest({ rounds: ROUNDS, clientsPerRound: 3, quorum: 2, deadlineSeconds: 1 })
  const target = { epsilon: 1000, delta: 1e-5 }
  const manifest = await post<RunManifest>(url, '/v1/runs', { ...request, target }, token)
  const honest = await Promise.all([enrol('honest'), enrol('honest too')])
  let noiseMultiplier = 2
  const hostile = await enrol('hostile', {
    train: async () => {},
    onOffer: (_: RunManifest, accept: { accepted: boolean; terms?: object }) =>
      accept.accepted ? { ...accept, terms: { ...accept.terms, noiseMultiplier } } : accept,
  })
  for (const client of [...honest, hostile]) await client.connect()
  const probe = new Worker(PROBE, { eval: true, workerData: url })
  const owed = eventOfRound(manifest, hostile.termsFor(manifest))
  const end = Date.now() + forMs
  let messages = 0
  while (Date.now() < end && coordinator.exitCode === null) {
    for (const move of movesOf(hostile, manifest, owed)) {
      if (Date.now() >= end) break
      messages += 1
      await move().catch(() => {})
    }
    noiseMultiplier = [1e-300, 1e300, 0.011, 9.5, 2][Math.floor(Math.random() * 5)]!
    hostile.disconnect()
    await hostile.connect().catch(() => {})
  }
  probe.postMessage('over')
  const [times] = (await once(probe, 'message')) as [number[]]
  const sorted = times.toSorted((left, right) => left - right)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
  const isAlive = coordinator.exitCode === null
  const snapshot = isAlive ? await get<RunSnapshot>(url, `/v1/runs/${manifest.runId}`, token) : undefined
  for (const client of [...honest, hostile]) client.disconnect()
  return {
    messages,
    answers: times.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    longestMs: sorted.at(-1)!,
    roundsDone: snapshot?.roundsDone ?? 0,
    alerts: snapshot?.alerts.length ?? 0,
    isAlive,
  }
}

/** What it may send, one of each. */
function movesOf(client: FakeClient, { runId }: RunManifest, owed: PrivacyEvent): (() => Promise<unknown>)[] {
  const report =
    (count: number, eventAt: (index: number) => PrivacyEvent, attempt = 1, first = 0) =>
    () => {
      const reservations = Array.from({ length: count }, (_, index) => {
        return { round: Math.min(ROUNDS - 1, first + index), attempt, event: eventAt(index) }
      })
      return client.report({ runId, reservations })
    }
  const invitation = client.invitations.at(-1)
  return [
    report(1, () => ({ ...owed, noiseMultiplier: 1e-300 })),
    report(1, () => ({ ...owed, noiseMultiplier: 1e300 })),
    report(10, (index) => ({ ...owed, noiseMultiplier: 0.011 + index / 1000, steps: 10_000 })),
    report(ROUNDS, () => owed),
    report(14_000, (index) => ({ ...owed, noiseMultiplier: 0.5 + index / 1e5 })),
    report(20_000, () => ({}) as PrivacyEvent),
    report(1, () => owed, 1000),
    report(0, () => owed),
    async () => client.socket?.emit('round-failed', { runId, round: invitation?.round ?? 0, code: 'SITE_DECLINED' }),
    async () => invitation && client.upload(invitation, new Uint8Array(1000)),
  ]
}

function textOf({ messages, answers, p50Ms, p99Ms, longestMs, roundsDone, alerts, isAlive }: Siege): string {
  return [
    `${messages} messages of one hostile client; ${roundsDone} rounds went on; ${alerts} alerts are shown`,
    `/healthz: ${answers} answers, median ${p50Ms.toFixed(1)} ms, 99 % within ${p99Ms.toFixed(1)} ms, longest ${longestMs.toFixed(1)} ms`,
    isAlive ? 'the coordinator is running' : 'the coordinator has died',
  ].join('\n')
}
