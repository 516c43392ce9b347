import { createHash, randomUUID, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createEnrolmentTokens,
  createRun,
  fetchAdapterFrame,
  fetchRun,
  watchRuns,
} from '../../apps/cli/src/operator-client.ts'
import { networkTransport } from '../../apps/client/src/transport/network.ts'
import { readTls } from '../../apps/client/src/transport/tls.ts'
import { registryOf } from '../../apps/server/src/models/index.ts'
import { eventOfRound } from '../../packages/core/src/accounting/index.ts'
import { FedsvdError } from '../../packages/core/src/errors.ts'
import { type RunSnapshot, sessionChallengeText } from '../../packages/core/src/protocol/index.ts'
import { fetchThrough } from '../../packages/engine/src/network/index.ts'
import { forwardProxy } from '../../packages/testing/src/client/forward-proxy.ts'
import { noopHandlers } from '../../packages/testing/src/client/noop-handlers.ts'
import { reverseProxy } from '../../packages/testing/src/client/reverse-proxy.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { builtDashboard } from '../../packages/testing/src/dashboard/index.ts'
import {
  makeCertificates,
  nginxAnswers,
  opensslAnswers,
  startNginx,
  type TestCoordinator,
  temporaryFolder,
  testCoordinator,
  tinyModel,
  tinyRequest,
  until,
} from '../../packages/testing/src/server/index.ts'

const page = readFileSync(new URL('../../docs/how-to/behind-a-proxy.md', import.meta.url), 'utf8')
const [LOCATION, MAP] = Array.from(page.matchAll(/```nginx\n([^`]+)```/g), ([, block]) => block!)

/** Updates of 1.2 MB. */
const models = registryOf([
  {
    ...tinyModel,
    adapterSchema: async (settings) => ({
      ...(await tinyModel.adapterSchema(settings)),
      layers: [{ name: 'layer', dIn: 6, dOut: 150_000 }],
    }),
  },
])

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

afterEach(() => vi.unstubAllEnvs())

/** Enrols a site, trains a run of one round and exports it, all of it by an address. */
async function wholeRun({ operatorToken }: TestCoordinator, url: string, trust = {}): Promise<void> {
  const access = { url, token: operatorToken, trust }
  const seen: RunSnapshot[] = []
  using watch = watchRuns(access, (snapshot) => seen.push(snapshot))
  await watch.connected
  const runId = await createRun(access, tinyRequest({ clientsPerRound: 1, quorum: 1, rounds: 1, localSteps: 1 }))
  const [enrolmentToken] = await createEnrolmentTokens(access, 1)
  await using folder = await temporaryFolder()
  const transport = networkTransport(url, trust)
  const budget = { epsilon: 8, delta: 1e-5 }
  await using site = await startSite({ folder: folder.path, transport, enrolmentToken, budget })
  await site.told('round-delivered')
  await until('the end', async () => (await fetchRun(access, runId)).state === 'completed')
  await until('its snapshot', () => seen.some(({ state }) => state === 'completed'))
  expect((await fetchAdapterFrame(access, runId, 2 ** 26)).length).toBeGreaterThan(1_000_000)
  expect(site.events).toContainEqual(expect.objectContaining({ event: 'connected', transport: 'polling' }))
  expect(site.events.filter(({ event }) => ['unreachable', 'disconnected', 'round-failed'].includes(event))).toEqual([])
}

/** A client reports a ledger of 20,000 rounds, by an address. */
async function longReport(coordinator: TestCoordinator, url: string, trust = {}): Promise<void> {
  const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 20_000 })
  const client = await coordinator.client('long')
  const { clientId, key } = client.identity
  const terms = client.termsFor(manifest)
  const connections: string[] = []
  await using link = networkTransport(url, trust).open(
    {
      clientId,
      instance: randomUUID(),
      ledgerHead: () => undefined,
      signChallenge: (id, nonce) => sign(null, Buffer.from(sessionChallengeText(id, nonce)), key).toString('base64url'),
    },
    noopHandlers({
      onConnected: (way) => connections.push(way),
      onDisconnected: (reason) => connections.push(reason),
      onOffer: async () => ({ accepted: true, terms }),
      onInvitation: async () => ({ accepted: true }),
    }),
  )
  await until('that it takes part', async () => (await coordinator.snapshot(manifest.runId)).clients.length === 1)
  const event = eventOfRound(manifest, terms)
  const reservations = Array.from({ length: 20_000 }, (_, round) => ({ round, attempt: 1, event: { ...event } }))
  const report = { runId: manifest.runId, since: 0, reservations }
  expect(JSON.stringify(report).length).toBeGreaterThan(3 * 2 ** 20)
  expect(await link.report(report)).toEqual({ agrees: true })
  expect(connections).toEqual(['polling'])
}

describe('a run over a hostile network', () => {
  it('goes by a forward proxy, a prefix, long polling and bodies of 1 MB', async () => {
    await using coordinator = await testCoordinator({}, { models })
    await using reverse = await reverseProxy(coordinator.url, '/fedsvd')
    reverse.websocket = 'refuse'
    reverse.mostBodyBytes = 2 ** 20
    await using forward = await forwardProxy('site:geheim')
    vi.stubEnv('HTTP_PROXY', `http://site:geheim@127.0.0.1:${forward.port}`)
    await wholeRun(coordinator, `${reverse.url}/`)
    expect(new Set(forward.asked)).toEqual(new Set([`127.0.0.1:${reverse.port}`]))
    expect(reverse.passed.filter((request) => /PUT .*\/parts\//.test(request))).toHaveLength(3)
  })

  it('carries a long ledger report in parts, over long polling', async () => {
    await using coordinator = await testCoordinator()
    await using reverse = await reverseProxy(coordinator.url)
    reverse.websocket = 'refuse'
    reverse.mostBodyBytes = 2 ** 20
    await longReport(coordinator, reverse.url)
  })
})

const hasNginx = (await nginxAnswers()) && (await opensslAnswers())

describe.skipIf(!hasNginx)(`nginx as on the page${hasNginx ? '' : ' (skipped: nginx or openssl is not here)'}`, () => {
  it('carries a whole run by TLS of a private authority, with 1 MB for bodies and no WebSocket, by a forward proxy', async () => {
    await using folder = await temporaryFolder()
    const { ca, server: certificate } = await makeCertificates(folder.path)
    await using coordinator = await testCoordinator({ trustedProxies: 1 }, { models })
    const location = LOCATION!
      .replace('http://127.0.0.1:7373/', `${coordinator.url}/`)
      .replace('client_max_body_size 64m;', 'client_max_body_size 1m; if ($http_upgrade) { return 403; }')
    expect(location).toContain('client_max_body_size 1m')
    await using nginx = await startNginx({
      folder: path.join(folder.path, 'nginx'),
      certificate,
      http: MAP!,
      server: location,
    })
    await using forward = await forwardProxy()
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${forward.port}`)
    await wholeRun(coordinator, `https://127.0.0.1:${nginx.port}/fedsvd`, readTls({ ca }))
    expect(new Set(forward.asked)).toEqual(new Set([`127.0.0.1:${nginx.port}`]))
    const requests = nginx.requests()
    expect(requests.filter((line) => /^PUT .*\/update 413$/.test(line))).toHaveLength(1)
    expect(requests.filter((line) => /^PUT .*\/parts\/\S+ 200$/.test(line))).toHaveLength(3)
    expect(requests.some((line) => line.endsWith(' 101'))).toBe(false)
    await longReport(coordinator, `https://127.0.0.1:${nginx.port}/fedsvd`, readTls({ ca }))
    expect(nginx.requests().filter((line) => line.endsWith(' 413'))).toHaveLength(1)
  })

  it('passes WebSocket, the dashboard with its assets, and cookies that are Secure', async () => {
    await using folder = await temporaryFolder()
    const { ca, server: certificate } = await makeCertificates(folder.path)
    await using coordinator = await testCoordinator({ trustedProxies: 1 }, { dashboardFolder: await builtDashboard() })
    const location = LOCATION!.replace('http://127.0.0.1:7373/', `${coordinator.url}/`)
    await using nginx = await startNginx({
      folder: path.join(folder.path, 'nginx'),
      certificate,
      http: MAP!,
      server: location,
    })
    const trust = readTls({ ca })
    const url = `https://127.0.0.1:${nginx.port}/fedsvd`
    const access = { url, token: coordinator.operatorToken, trust }
    const seen: string[] = []
    {
      using _watch = watchRuns(access, ({ runId }) => seen.push(runId))
      const runId = await createRun(access, tinyRequest())
      await until('its snapshot', () => seen.includes(runId))
    }
    await until('the end of the WebSocket in the log', () =>
      nginx.requests().some((line) => line.endsWith('/socket.io/ 101')),
    )

    const send = fetchThrough(trust)
    for (const view of ['/', '/clients', '/runs/4a5c0a4e-3b8e-4f0e-9c3a-2f8f0d0a1b2c']) {
      const html = await (await send(url + view)).text()
      const assets = Array.from(html.matchAll(/(?:src|href)="([^"]*assets\/[^"]+)"/g), ([, asset]) => asset!)
      expect(assets.length).toBeGreaterThan(1)
      for (const asset of assets) expect((await send(new URL(asset, url + view))).status).toBe(200)
    }

    const operator = { name: 'ada', role: 'admin', secret: 'a secret of some length 4711' }
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${access.token}` }
    await send(`${url}/v1/operators`, { method: 'POST', headers, body: JSON.stringify(operator) })
    const { name, secret } = operator
    const signIn = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, secret }),
    }
    const [cookie] = (await send(`${url}/v1/session`, signIn)).headers.getSetCookie()
    expect(cookie).toMatch(/^__Host-fedsvd-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
  })
})

describe('an update in parts', () => {
  it('is taken once it is joined, and nothing else is', async () => {
    await using coordinator = await testCoordinator()
    const manifest = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 1 })
    const train = async () => {}
    const clients = await Promise.all(['one', 'two'].map((name) => coordinator.client(name, { train })))
    for (const client of clients) await client.connect()
    const [one, two] = clients as [(typeof clients)[0], (typeof clients)[0]]
    const [invitation, other] = await Promise.all(
      clients.map((client) => until('an invitation', () => client.invitations[0])),
    )
    const frame = one.frame(invitation!)
    const at = `${coordinator.url}/v1/runs/${manifest.runId}/rounds/0/update`
    const parts = [frame.subarray(0, 100), frame.subarray(100)]
    const call = async (method: string, url: string, body: Uint8Array | string, token = invitation!.uploadToken) => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': typeof body === 'string' ? 'application/json' : 'application/octet-stream',
      }
      const reply = await fetch(url, { method, headers, body: body as string })
      const { error, ...value } = (await reply.json()) as { error?: unknown; status?: string }
      return error === undefined ? (value.status ?? 'stored') : FedsvdError.fromJSON(error).code
    }
    const put = (part: Uint8Array, name = sha256(part), token?: string) =>
      call('PUT', `${at}/parts/${name}`, part, token)
    const join = (body: unknown, token?: string) => call('POST', at, JSON.stringify(body), token)
    const named = { parts: parts.map(sha256) }

    expect(await join(named)).toBe('BLOB_NOT_FOUND')
    expect(await put(parts[0]!, sha256(parts[1]!))).toBe('FRAME_CHECKSUM')
    expect(await put(parts[0]!, sha256(parts[0]!), 'none')).toBe('TOKEN_INVALID')
    expect(await put(parts[0]!, 'none')).toBe('MESSAGE_INVALID')
    expect(await put(Buffer.alloc(3 * frame.length + 1))).toBe('FRAME_TOO_LARGE')
    for (const part of [...parts, ...parts]) expect(await put(part)).toBe('stored')
    for (const wrong of [
      {},
      { parts: [] },
      { ...named, more: 1 },
      { parts: ['x'] },
      { parts: named.parts.concat(Array(5000).fill(named.parts[0])) },
    ])
      expect(await join(wrong)).toBe('MESSAGE_INVALID')
    expect(await join({ parts: named.parts.toReversed() })).toMatch(/^FRAME_|SHAPE_/)
    expect(await join({ parts: [...named.parts, ...named.parts] })).toBe('FRAME_TOO_LARGE')
    expect(await join(named, other!.uploadToken)).toMatch(/^FRAME_/)
    expect(await join(named)).toBe('accepted')
    expect(await join(named)).toBe('duplicate')

    const more = Buffer.alloc(frame.length, 'more')
    expect(await put(more)).toBe('stored')
    expect(await put(Buffer.from('not more'), sha256(more))).toBe('FRAME_CHECKSUM') // and what was kept still counts
    expect(await put(Buffer.alloc(frame.length, 'and more'))).toBe('stored')
    expect(await put(Buffer.from('one more'))).toBe('FRAME_TOO_LARGE')
    await two.upload(other!)
    await coordinator.seen(manifest.runId, 'the end', ({ state }) => state === 'completed')
  })

  it('of rounds that are over shares one allowance: old tokens fill no disk', async () => {
    await using coordinator = await testCoordinator()
    const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 3 })
    const client = await coordinator.client('one')
    await client.connect()
    await coordinator.seen(manifest.runId, 'the end', ({ state }) => state === 'completed')
    const bytes = client.frame(client.invitations[0]!).length
    const put = async ({ round, uploadToken }: (typeof client.invitations)[0], part: Uint8Array) => {
      const at = `${coordinator.url}/v1/runs/${manifest.runId}/rounds/${round}/update/parts/${sha256(part)}`
      const headers = { authorization: `Bearer ${uploadToken}` }
      return (await fetch(at, { method: 'PUT', headers, body: part as Uint8Array<ArrayBuffer> })).ok
    }
    const parts = client.invitations.flatMap((invitation) =>
      ['a', 'b', 'c'].map((fill) => ({ invitation, part: Buffer.alloc(bytes, `${fill}${invitation.round}`) })),
    )
    const taken: boolean[] = []
    for (const { invitation, part } of parts) taken.push(await put(invitation, part))
    expect(taken).toEqual([true, true, true, ...Array<boolean>(6).fill(false)])
  })
})
