import { chmod } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import {
  call,
  createOperator,
  cuttableProxy,
  type FakeClient,
  freshDatabase,
  otlpReceiver,
  post,
  postgresAnswers,
  SECRET,
  signIn,
  type TestCoordinator,
  temporaryFolder,
  testCoordinator,
  tinyModels,
  trainAndUpload,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { startCoordinator } from '../src/index.ts'
import { createLog } from '../src/telemetry/index.ts'

const loaded = vi.hoisted(() => ({ openTelemetry: 0 }))
vi.mock('@opentelemetry/sdk-trace-base', (original) => {
  loaded.openTelemetry += 1
  return original()
})

/** What a client says in a refusal: it may be anything, and is for operators only. */
const CLIENT_TEXT = 'patient 4711 was admitted with'

/** Everything in a round that readers of logs and traces may not see. */
function secretsOf(coordinator: TestCoordinator, clients: readonly FakeClient[], more: readonly string[]): string[] {
  const ofClient = (client: FakeClient): string[] => {
    const { invitations, sessionToken, identity } = client
    const frames = invitations.map((invitation) => Buffer.from(client.frame(invitation)))
    const tensors = frames.map((frame) => frame.subarray(112, 136))
    const floats = invitations.flatMap(({ runId, round }) =>
      client.delta(runId, round).map(({ data }) => String(data[0])),
    )
    const key = identity.key.export({ format: 'jwk' })
    return [
      sessionToken,
      key.d!,
      key.x!,
      ...invitations.map(({ uploadToken }) => uploadToken),
      ...tensors.flatMap((bytes) => [bytes.toString('hex'), bytes.toString('base64').slice(0, 30), bytes.join(',')]),
      ...floats,
    ]
  }
  return [coordinator.operatorToken, SECRET, CLIENT_TEXT, ...more, ...clients.flatMap(ofClient)]
}

/** A run of two rounds in which much goes wrong as well. */
async function eventfulRun(coordinator: TestCoordinator): Promise<string[]> {
  const { url, operatorToken } = coordinator
  await createOperator(coordinator, 'ada', 'operator')
  const session = await signIn(url, 'ada')
  await call(url, 'POST /v1/session', {}, { name: 'ada', secret: 'wrong-secret-of-ada' })
  const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 2 })
  const error = { code: 'DATA_UNREADABLE', expected: CLIENT_TEXT, got: CLIENT_TEXT, remedy: CLIENT_TEXT }
  const refusing = await coordinator.client('refuses', { onOffer: () => ({ accepted: false, error }) })
  await refusing.connect()
  await coordinator.seen(runId, 'the alert', ({ alerts }) => alerts.length === 1)
  const train: typeof trainAndUpload = async (client, invitation) => {
    await client.upload(invitation, Uint8Array.of(1, 2, 3, 4, 5)).catch(() => {})
    await client.upload(invitation, client.frame(invitation), 'forged-upload-token').catch(() => {})
    await trainAndUpload(client, invitation)
  }
  const clients = [await coordinator.client('a', { train }), await coordinator.client('b', { train })]
  const enrolment = await coordinator.enrolment()
  await post(url, '/v1/enrol', { protocolVersion: 1, token: enrolment, name: 'c', publicKey: 'AAAA' }).catch(() => {})
  await clients[0]!.connect({ ...(await clients[0]!.handshake()), signature: 'forged-signature' }).catch(() => {})
  await Promise.all(clients.map((client) => client.connect()))
  await call(url, 'GET /v1/nothing?token=in-an-address', { bearer: 'guessed-bearer-token' })
  await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  await clients[0]!.report({ runId, since: 0, reservations: [] }) // a ledger that was restored from a copy
  return secretsOf(
    coordinator,
    [...clients, refusing],
    [
      session,
      enrolment,
      operatorToken,
      'wrong-secret-of-ada',
      'forged-upload-token',
      'forged-signature',
      'in-an-address',
      'guessed-bearer-token',
    ],
  )
}

function gathering(): { readonly text: () => string; readonly stream: Writable } {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  return { text: () => lines.join(''), stream }
}

describe('the log', () => {
  it('tells of a whole round, and holds no token, key, tensor or text of a client', async () => {
    const { text, stream } = gathering()
    await using coordinator = await testCoordinator({}, { log: createLog('debug', stream) })
    const secrets = await eventfulRun(coordinator)
    for (const line of [
      'client connected',
      'round published',
      'run ended',
      '"path":"/v1/enrol"',
      'alert about a client',
    ]) {
      expect(text()).toContain(line)
    }
    expect(secrets.length).toBeGreaterThan(30)
    expect(secrets.filter((secret) => secret.length < 5 || text().includes(secret))).toEqual([])
    for (const line of text().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg')
  })

  it.skipIf(process.platform === 'win32')('warns at a start where others may enter the state folder', async () => {
    await using folder = await temporaryFolder()
    for (const rights of [0o755, 0o700]) {
      await chmod(folder.path, rights)
      const { text, stream } = gathering()
      await using _coordinator = await testCoordinator({ stateDir: folder.path }, { log: createLog('info', stream) })
      expect(/"rights":"755".*others on this machine have rights to the state folder/.test(text())).toBe(
        rights === 0o755,
      )
    }
  })

  it('withholds what has the name of a secret, should anything log it', () => {
    const { text, stream } = gathering()
    const log = createLog('info', stream)
    log.info({ token: 'secret-1', request: { authorization: 'secret-2', at: { cookie: 'secret-3' } } }, 'a mistake')
    expect(text()).not.toMatch(/secret-\d/)
    expect(text()).toContain('(withheld)')
  })
})

describe('metrics', () => {
  it('count rounds, updates by outcome, bytes, disagreements and lag, and name no client and no run', async () => {
    await using coordinator = await testCoordinator()
    const secrets = await eventfulRun(coordinator)
    const page = String((await call(coordinator.url, 'GET /metrics')).body)
    const value = (name: string): number =>
      Number(
        page
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length + 1),
      )
    expect(value('fedsvd_round_seconds_count')).toBe(2)
    expect(value('fedsvd_updates_total{outcome="accepted"}')).toBe(4)
    expect(value('fedsvd_updates_total{outcome="FRAME_MALFORMED"}')).toBe(4)
    expect(value('fedsvd_updates_total{outcome="TOKEN_INVALID"}')).toBe(4)
    expect(value('fedsvd_update_bytes_total')).toBeGreaterThan(4 * 200)
    expect(value('fedsvd_state_bytes_total')).toBeGreaterThan(4 * 200)
    expect(value('fedsvd_ledger_disagreements_total')).toBe(1)
    expect(value('fedsvd_connected_clients')).toBe(3)
    expect(value('fedsvd_alerts_total{code="DATA_UNREADABLE"}')).toBe(1)
    expect(value('nodejs_eventloop_lag_seconds')).toBeGreaterThanOrEqual(0)
    expect(page).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/)
    expect(secrets.filter((secret) => page.includes(secret))).toEqual([])
  })
})

describe('traces', () => {
  it('are not even prepared without an address: OpenTelemetry is not loaded', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('a')
    await client.connect()
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(loaded.openTelemetry).toBe(0) // the next test shows that this would be seen
  })

  it('show rounds, their phases, uploads and the database, with nothing of a client in them', async () => {
    await using receiver = await otlpReceiver()
    const secrets: string[] = []
    {
      await using coordinator = await testCoordinator({ otlpEndpoint: receiver.endpoint })
      secrets.push(...(await eventfulRun(coordinator)))
    }
    expect(loaded.openTelemetry).toBe(1)
    const { spans } = receiver
    const named = (name: string) => spans.filter((span) => span.name === name)
    const rounds = named('round')
    expect(rounds).toHaveLength(2)
    for (const round of rounds) {
      const inside = spans.filter(({ parentSpanId }) => parentSpanId === round.spanId)
      const phases = ['round tasked', 'round received']
      expect(inside.map(({ name }) => name).toSorted()).toEqual(phases.toSorted())
      for (const phase of inside) {
        expect(phase.traceId).toBe(round.traceId)
        expect(BigInt(phase.endTimeUnixNano) >= BigInt(phase.startTimeUnixNano)).toBe(true)
      }
    }
    const accepted = named('update').filter(({ attributes }) =>
      attributes.some(({ key, value }) => key === 'fedsvd.outcome' && value.stringValue === 'accepted'),
    )
    expect(accepted).toHaveLength(4)
    const refused = named('update').filter(({ attributes }) => attributes.some(({ key }) => key === 'error.type'))
    expect(refused).toHaveLength(4)
    // to open, to close and to publish each round, at least
    expect(named('database rounds.save').length).toBeGreaterThan(5)
    const stored = spans.filter(({ name, parentSpanId }) => name.startsWith('database ') && parentSpanId !== undefined)
    expect(stored.length).toBeGreaterThan(0) // what an upload asks of the database is inside its span
    const text = receiver.bodies.join('\n')
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
    const keys = new Set(spans.flatMap(({ attributes }) => attributes.map(({ key }) => key)))
    expect([...keys].filter((key) => !/^(fedsvd\.|error\.type$|db\.system\.name$)/.test(key))).toEqual([])
  })

  it('that no collector accepts delay nothing', async () => {
    const gone = await otlpReceiver()
    await gone[Symbol.asyncDispose]()
    await using coordinator = await testCoordinator({ otlpEndpoint: gone.endpoint })
    expect((await call(coordinator.url, 'GET /readyz')).status).toBe(200)
  })
})

describe.skipIf(!(await postgresAnswers()))('readiness', () => {
  it('follows the database, while the process stays healthy', async () => {
    await using database = await freshDatabase()
    await using folder = await temporaryFolder()
    const url = new URL(database.url)
    await using proxy = await cuttableProxy({ host: url.hostname, port: Number(url.port) })
    url.port = String(proxy.port)
    const settings = {
      port: 0,
      stateDir: folder.path,
      databaseUrl: url.href,
      logLevel: 'silent' as const,
      graceSeconds: 1,
    }
    await using coordinator = await startCoordinator(settings, { models: tinyModels })
    expect((await call(coordinator.url, 'GET /readyz')).status).toBe(200)
    proxy.cut()
    expect(await call(coordinator.url, 'GET /readyz')).toMatchObject({ status: 503, code: 'DATABASE_UNAVAILABLE' })
    expect((await call(coordinator.url, 'GET /healthz')).status).toBe(200)
    proxy.mend()
    await until('readiness', async () => (await call(coordinator.url, 'GET /readyz')).status === 200)
  })
})
