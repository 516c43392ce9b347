import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isFedsvdError } from '../../../packages/core/src/errors.ts'
import { type Invitation, PROTOCOL_VERSION, type RunManifest } from '../../../packages/core/src/protocol/index.ts'
import {
  type FakeClient,
  get,
  post,
  type TestCoordinator,
  temporaryFolder,
  testCoordinator,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { startCoordinator } from '../src/index.ts'

const PUBLIC_KEY = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x!

/** The catalogue error that something is refused with. */
async function refusal(
  attempt: Promise<unknown>,
): Promise<{ code: string; expected: string; got: string; remedy: string }> {
  try {
    await attempt
  } catch (error) {
    if (isFedsvdError(error)) return error.toJSON()
    throw error
  }
  throw new Error('nothing was refused')
}

/** A coordinator with one round open: `client` is invited and has not delivered, and another holds the round open. */
async function openRound() {
  const coordinator = await testCoordinator()
  const manifest = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 1 })
  const options = { train: async () => {} }
  const [client, other] = [await coordinator.client('a', options), await coordinator.client('b', options)]
  await Promise.all([client.connect(), other.connect()])
  await until('both invitations', () => client.invitations.length + other.invitations.length === 2)
  return { coordinator, manifest, client, other, invitation: client.invitations[0]! }
}

describe('an update that is not right', () => {
  let at: Awaited<ReturnType<typeof openRound>>
  beforeAll(async () => {
    at = await openRound()
  })
  afterAll(() => at.coordinator[Symbol.asyncDispose]())

  const changed = (bytes: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array => {
    const copy = bytes.slice()
    change(copy)
    return copy
  }
  type Attempt = (client: FakeClient, invitation: Invitation) => Promise<unknown>
  const withTensors =
    (value: number): Attempt =>
    (client, invitation) => {
      const tensors = client
        .delta(invitation.runId, 0)
        .map((tensor) => ({ ...tensor, data: tensor.data.map(() => value) }))
      return client.upload(invitation, client.frame(invitation, { tensors }))
    }
  it.each<[string, string, Attempt]>([
    ['five bytes', 'FRAME_MALFORMED', (client, invitation) => client.upload(invitation, Uint8Array.of(1, 2, 3, 4, 5))],
    ['no bytes', 'FRAME_MALFORMED', (client, invitation) => client.upload(invitation, new Uint8Array())],
    [
      'half a frame',
      'FRAME_MALFORMED',
      (client, invitation) => client.upload(invitation, client.frame(invitation).slice(0, 200)),
    ],
    [
      'too many bytes',
      'FRAME_TOO_LARGE',
      (client, invitation) => client.upload(invitation, new Uint8Array(10_000_000)),
    ],
    [
      'a flipped bit',
      'FRAME_CHECKSUM',
      (client, invitation) =>
        client.upload(
          invitation,
          changed(client.frame(invitation), (bytes) => {
            bytes[150]! ^= 1
          }),
        ),
    ],
    [
      'another shape',
      'FRAME_MALFORMED',
      (client, invitation) =>
        client.upload(invitation, client.frame(invitation, { tensors: client.delta(invitation.runId, 0).slice(1) })),
    ],
    [
      'a transposed tensor',
      'SHAPE_MISMATCH',
      (client, invitation) =>
        client.upload(
          invitation,
          client.frame(invitation, {
            tensors: client
              .delta(invitation.runId, 0)
              .map((tensor) => ({ ...tensor, shape: tensor.shape.toReversed() })),
          }),
        ),
    ],
    ['NaN', 'NOT_FINITE', withTensors(Number.NaN)],
    ['infinity', 'NOT_FINITE', withTensors(Number.NEGATIVE_INFINITY)],
    ['a norm that nothing explains', 'NORM_EXCEEDED', withTensors(1e6)],
    [
      'a frame of another round',
      'UPDATE_STALE',
      (client, invitation) => client.upload(invitation, client.frame(invitation, { round: 7 })),
    ],
    [
      'a frame of another client',
      'FRAME_MALFORMED',
      (client, invitation) => client.upload(invitation, client.frame(invitation, { clientId: randomUUID() })),
    ],
    ['no token', 'TOKEN_INVALID', (client, invitation) => client.upload(invitation, client.frame(invitation), '')],
    [
      'a made-up token',
      'TOKEN_INVALID',
      (client, invitation) => client.upload(invitation, client.frame(invitation), 'A'.repeat(64)),
    ],
    ['a token of another round', 'TOKEN_INVALID', (client, invitation) => client.upload({ ...invitation, round: 1 })],
    [
      'a token of another run',
      'TOKEN_INVALID',
      (client, invitation) => client.upload({ ...invitation, runId: randomUUID() }, client.frame(invitation)),
    ],
    [
      'an address that is none',
      'MESSAGE_INVALID',
      (client, invitation) => client.upload({ ...invitation, runId: 'run-1' }, client.frame(invitation)),
    ],
  ])('gets its code and loses nothing: %s', async (_, code, attempt) => {
    const { client, invitation, coordinator, manifest } = at
    const error = await refusal(attempt(client, invitation))
    expect(error.code).toBe(code)
    for (const part of [error.expected, error.got, error.remedy]) expect(part).toMatch(/^[^\n]{2,}$/)
    const { current, state } = await coordinator.snapshot(manifest.runId)
    expect(state).toBe('running')
    expect(current).toMatchObject({ round: 0, state: 'tasked', received: [] })
  })

  it('is told apart from the right one, which is taken once and acknowledged again', async () => {
    const { client, other, invitation, coordinator, manifest } = at
    expect((await client.upload(invitation)).status).toBe('accepted')
    expect((await client.upload(invitation)).status).toBe('duplicate')
    const tensors = client.delta(manifest.runId, 0).map((tensor) => ({ ...tensor, data: tensor.data.map(() => 0.01) }))
    const second = client.frame(invitation, { tensors })
    expect((await refusal(client.upload(invitation, second))).code).toBe('UPDATE_CONFLICT')

    await other.upload(other.invitations[0]!)
    await coordinator.seen(manifest.runId, 'the end', ({ state }) => state === 'completed')
    expect((await client.upload(invitation)).status).toBe('duplicate') // also when the run has ended
    expect((await refusal(client.upload(invitation, second))).code).toBe('UPDATE_CONFLICT')
  })
})

describe('an update that comes too late or unasked', () => {
  it('is refused when the client had refused the invitation', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 1, rounds: 1 })
    const error = { code: 'LEDGER_LOCKED', expected: 'a free ledger', got: 'a locked one', remedy: 'Wait.' }
    const refusing = await coordinator.client('refuses', { onInvite: () => ({ accepted: false, error }) })
    const waiting = await coordinator.client('waits', { train: async () => {} })
    await Promise.all([refusing.connect(), waiting.connect()])
    await coordinator.seen(runId, 'the refusal', ({ alerts }) => alerts.length === 1)
    expect((await refusal(refusing.upload(refusing.invitations[0]!))).code).toBe('UPDATE_UNEXPECTED')
    expect((await coordinator.snapshot(runId)).clients.find(({ name }) => name === 'refuses')?.steps).toBe(0)
  })

  it('is refused when the round has closed at its deadline with a quorum, and the client is told', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 1, rounds: 1, deadlineSeconds: 0.3 })
    const slow = await coordinator.client('slow', { train: async () => {} })
    const fast = await coordinator.client('fast')
    await Promise.all([slow.connect(), fast.connect()])
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect((await refusal(slow.upload(slow.invitations[0]!))).code).toBe('UPDATE_STALE')
    await until('the news at the slow client', () => slow.closed.length === 1)
    expect(slow.closed).toEqual([{ runId, round: 0 }])
    const spent = (await coordinator.snapshot(runId)).clients.map(({ steps }) => steps)
    expect(spent).toEqual([2, 2]) // it may have spent: it is counted
  })
})

describe('a caller who is not who it should be', () => {
  let coordinator: TestCoordinator
  let manifest: RunManifest
  let client: FakeClient
  beforeAll(async () => {
    coordinator = await testCoordinator()
    manifest = await coordinator.createRun()
    client = await coordinator.client('site')
  })
  afterAll(() => coordinator[Symbol.asyncDispose]())

  it.each<[string, string, (token: string) => object]>([
    ['an unknown token', 'TOKEN_INVALID', () => ({ token: 'guess' })],
    ['a key that is none', 'SIGNATURE_INVALID', (token) => ({ token, publicKey: 'AAAA' })],
    ['another protocol version', 'PROTOCOL_VERSION', (token) => ({ token, protocolVersion: PROTOCOL_VERSION + 1 })],
    ['a name that is none', 'MESSAGE_INVALID', (token) => ({ token, name: '../../etc' })],
    ['nothing', 'MESSAGE_INVALID', () => ({ token: undefined })],
  ])('does not enrol with %s', async (_, code, changes) => {
    const token = await coordinator.enrolment()
    const request = { protocolVersion: PROTOCOL_VERSION, token, name: 'site', publicKey: PUBLIC_KEY }
    expect((await refusal(post(coordinator.url, '/v1/enrol', { ...request, ...changes(token) }))).code).toBe(code)
  })

  it('does not enrol twice with one token', async () => {
    const token = await coordinator.enrolment()
    const request = { protocolVersion: PROTOCOL_VERSION, token, name: 'twice', publicKey: PUBLIC_KEY }
    await post(coordinator.url, '/v1/enrol', request)
    const publicKey = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x!
    const error = await refusal(post(coordinator.url, '/v1/enrol', { ...request, name: 'another', publicKey }))
    expect(error).toMatchObject({ code: 'TOKEN_INVALID', got: 'a token that was used before' })
  })

  it('does not connect with a replayed, foreign, or forged handshake', async () => {
    const handshake = await client.handshake()
    await client.connect(handshake)
    client.disconnect()
    expect((await refusal(client.connect(handshake))).code).toBe('TOKEN_INVALID') // the nonce is used up
    const other = await coordinator.client('other')
    const { nonce } = await other.handshake()
    expect((await refusal(client.connect({ ...(await client.handshake()), nonce }))).code).toBe('TOKEN_INVALID')
    const { signature } = await other.handshake()
    expect((await refusal(client.connect({ ...(await client.handshake()), signature }))).code).toBe('SIGNATURE_INVALID')
    expect((await refusal(client.connect({}))).code).toBe('MESSAGE_INVALID')
    expect((await refusal(client.connect({ ...(await client.handshake()), protocolVersion: 0 }))).code).toBe(
      'PROTOCOL_VERSION',
    )
  })

  it('does not read objects without a live session, of runs it takes no part in, or by a path', async () => {
    const { adapter } = await coordinator.snapshot(manifest.runId)
    const stranger = await coordinator.client('stranger', {
      onOffer: () => ({
        accepted: false,
        error: { code: 'DATA_EMPTY', expected: 'records', got: 'none', remedy: 'Add some.' },
      }),
    })
    expect((await refusal(stranger.download(adapter!))).code).toBe('TOKEN_INVALID')
    await Promise.all([client.connect(), stranger.connect()])
    await coordinator.seen(manifest.runId, 'a participant', ({ clients }) => clients.length === 1)
    expect((await client.download(adapter!)).length).toBeGreaterThan(100)
    expect((await refusal(stranger.download(adapter!))).code).toBe('BLOB_NOT_FOUND')
    expect((await refusal(client.download('..%2f..%2foperator.token'))).code).toBe('MESSAGE_INVALID')
    client.disconnect()
    await coordinator.seen(manifest.runId, 'the end of the connection', ({ clients }) => !clients[0]!.connected)
    expect((await refusal(client.download(adapter!))).code).toBe('TOKEN_INVALID')
  })

  it.each([
    ['POST', '/v1/enrolment-tokens'],
    ['POST', '/v1/runs'],
    ['GET', '/v1/runs'],
    ['GET', '/v1/runs/RUN'],
    ['POST', '/v1/runs/RUN/stop'],
    ['GET', '/v1/runs/RUN/adapter'],
    ['DELETE', '/v1/runs/RUN'],
  ])('is no operator at %s %s without the operator token', async (method, route) => {
    const url = `${coordinator.url}${route.replace('RUN', manifest.runId)}`
    for (const token of [undefined, 'guess', client.sessionToken]) {
      const reply = await fetch(url, { method, ...(token && { headers: { authorization: `Bearer ${token}` } }) })
      expect(reply.status).toBe(401)
      expect(((await reply.json()) as { error: { code: string } }).error.code).toBe('TOKEN_INVALID')
    }
  })
})

describe('a request that does not fit', () => {
  let coordinator: TestCoordinator
  beforeAll(async () => {
    coordinator = await testCoordinator()
  })
  afterAll(() => coordinator[Symbol.asyncDispose]())

  it.each<[string, string, Parameters<typeof tinyRequest>[0] | object]>([
    ['an unknown model', 'CONFIG_INVALID', { model: { name: 'gpt', maxTokens: 16 } }],
    ['too long inputs', 'CONFIG_INVALID', { model: { name: 'tiny', maxTokens: 17 } }],
    ['a quorum above the selection', 'CONFIG_INVALID', { quorum: 4 }],
    ['a label twice', 'CONFIG_INVALID', { labels: ['spam', 'spam'] }],
    ['an endless deadline', 'MESSAGE_INVALID', { deadlineSeconds: 1e9 }],
    ['a deadline shorter than any answer', 'MESSAGE_INVALID', { deadlineSeconds: 1e-9 }],
    ['a key that differs from a field by its case', 'MESSAGE_INVALID', { clientlevel: { clipNorm: 1 } }],
    ['a rank that fits no layer', 'ADAPTER_INVALID', { adapter: { rank: 6, alpha: 6, headMode: 'trained' } }],
    ['no rounds', 'MESSAGE_INVALID', { rounds: 0 }],
    ['another method', 'MESSAGE_INVALID', { method: 'magic' }],
    ['no labels', 'MESSAGE_INVALID', { labels: undefined }],
  ])('opens no run: %s', async (_, code, changes) => {
    const request = { ...tinyRequest(), ...changes }
    expect((await refusal(post(coordinator.url, '/v1/runs', request, coordinator.operatorToken))).code).toBe(code)
    expect(await get(coordinator.url, '/v1/runs', coordinator.operatorToken)).toEqual({ runs: [] })
  })

  it.each<[string, number, string, RequestInit & { path?: string }]>([
    ['broken JSON', 400, 'MESSAGE_INVALID', { body: '{"a":' }],
    ['JSON that is no object', 400, 'MESSAGE_INVALID', { body: '[1]' }],
    ['a body that is too large', 413, 'FRAME_TOO_LARGE', { body: JSON.stringify({ token: 'x'.repeat(20_000) }) }],
    ['no JSON', 400, 'MESSAGE_INVALID', { headers: { 'content-type': 'text/plain' }, body: 'hello' }],
    [
      'an unknown encoding',
      400,
      'MESSAGE_INVALID',
      { headers: { 'content-type': 'application/json', 'content-encoding': 'zip' }, body: '{}' },
    ],
    ['an unknown address', 404, 'ROUTE_NOT_FOUND', { path: '/v1/nothing', body: '{}' }],
  ])('is answered from the catalogue: %s', async (_, status, code, { path: route = '/v1/enrol', ...init }) => {
    const reply = await fetch(`${coordinator.url}${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      ...init,
    })
    expect(reply.status).toBe(status)
    const { error } = (await reply.json()) as { error: Record<string, string> }
    expect(Object.keys(error).sort()).toEqual(['code', 'expected', 'got', 'remedy'])
    expect(error.code).toBe(code)
  })

  it.each([
    ['a query that nothing reads', '/v1/runs?state=running', 'state'],
    ['a page of another name', `/v1/runs/${randomUUID()}?newest=5`, 'newest'],
    ['a misspelt page', '/v1/audit-log?limt=5', 'limt; did you mean limit?'],
  ])('is told what is not read: %s', async (_, address, got) => {
    const run = await post<{ runId: string }>(coordinator.url, '/v1/runs', tinyRequest(), coordinator.operatorToken)
    const asked = address.replace(/[0-9a-f-]{36}/, run.runId)
    expect(await refusal(get(coordinator.url, asked, coordinator.operatorToken))).toMatchObject({
      code: 'MESSAGE_INVALID',
      got,
    })
  })

  it('is told that what it says beside the address is not read, and changes nothing', async () => {
    const { url, operatorToken } = coordinator
    const { runId } = await post<{ runId: string }>(url, '/v1/runs', tinyRequest(), operatorToken)
    for (const change of ['stop', 'pause', 'resume']) {
      const said = post(url, `/v1/runs/${runId}/${change}`, { reason: 'too slow' }, operatorToken)
      expect(await refusal(said)).toMatchObject({ code: 'MESSAGE_INVALID', got: 'reason' })
    }
    expect(await get(url, `/v1/runs/${runId}`, operatorToken)).toMatchObject({ state: 'waiting' })
    expect(await post(url, `/v1/runs/${runId}/stop`, {}, operatorToken)).toMatchObject({ state: 'stopped' })
  })

  it('names no run that is not there', async () => {
    const missing = get(coordinator.url, `/v1/runs/${randomUUID()}`, coordinator.operatorToken)
    expect((await refusal(missing)).code).toBe('RUN_NOT_FOUND')
  })

  it('is slowed down when there are too many from one address', async () => {
    await using limited = await testCoordinator({ requestsPerMinute: 3, refusalsPerMinute: 2 })
    const challenge = () => post(limited.url, '/v1/challenge', { clientId: randomUUID() })
    await Promise.all([challenge(), challenge(), challenge()])
    expect((await refusal(challenge())).code).toBe('RATE_LIMITED')
    const guess = () => get(limited.url, '/v1/runs', 'guess')
    const codes = [await refusal(guess()), await refusal(guess()), await refusal(guess())].map(({ code }) => code)
    expect(codes).toEqual(['TOKEN_INVALID', 'TOKEN_INVALID', 'RATE_LIMITED'])
  })
})

describe('a start that cannot succeed', () => {
  it('says that the port is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    const error = await refusal(testCoordinator({ port }))
    expect(error).toMatchObject({ code: 'PORT_IN_USE', expected: `127.0.0.1:${port} to be free` })
    taken.close()
  })

  it('names every setting at fault', async () => {
    const error = await refusal(startCoordinator({ port: 99_999, databaseUrl: 'mysql://nowhere' }))
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', remedy: 'Correct FEDSVD_PORT, DATABASE_URL.' })
  })

  it('says that the database does not answer', async () => {
    await using folder = await temporaryFolder()
    const databaseUrl = 'postgresql://nobody@127.0.0.1:1/none'
    expect(
      (await refusal(startCoordinator({ port: 0, stateDir: folder.path, databaseUrl, logLevel: 'silent' }))).code,
    ).toBe('DATABASE_UNAVAILABLE')
  })

  it('says which row of the hold-out cannot be read', async () => {
    await using folder = await temporaryFolder()
    const holdOut = path.join(folder.path, 'missing.jsonl')
    const error = await refusal(startCoordinator({ port: 0, stateDir: folder.path, holdOut, logLevel: 'silent' }))
    expect(error.code).toBe('DATA_UNREADABLE')
  })
})
