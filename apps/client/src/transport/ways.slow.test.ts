import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CoordinatorDouble } from '@fedsvd/testing/client/coordinator-double'
import { forwardProxy } from '@fedsvd/testing/client/forward-proxy'
import { type NetworkDouble, serveDouble } from '@fedsvd/testing/client/network-double'
import { type OwnAnswer, type ReverseProxy, reverseProxy } from '@fedsvd/testing/client/reverse-proxy'
import { startSite } from '@fedsvd/testing/client/running-site'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { sampleSite } from '@fedsvd/testing/client/site'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { Server } from 'socket.io'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startClient } from '../index.ts'
import { sha256Hex } from '../ledger/index.ts'
import { networkTransport } from './network.ts'
import { routeTo } from './route.ts'
import { catalogueErrorIn, openSocket } from './socket.ts'
import { uploadFrame } from './upload.ts'

/** What stands between a hospital and a coordinator: proxies of either side, filters, prefixes, limits. */
const manifest = sampleManifest()
const noWait = async (): Promise<void> => {
  await new Promise((resolve) => setImmediate(resolve))
}
function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
let folder: TemporaryFolder
let double: CoordinatorDouble
let served: NetworkDouble
let proxy: ReverseProxy

beforeEach(async () => {
  folder = temporaryFolder()
  double = new CoordinatorDouble()
  served = await serveDouble(double)
  proxy = await reverseProxy(served.url, '/fed/svd')
})
afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  await served[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const start = (env: Readonly<Record<string, string>> = {}, address = proxy.url) =>
  startSite({ folder: folder.path, transport: networkTransport(address, {}, { pause: noWait, env }) })

/** One round, from the offer to the delivery. */
async function trainOnce(site: Awaited<ReturnType<typeof start>>): Promise<void> {
  const peer = await double.peer()
  await peer.offer(manifest)
  await peer.invite(double.invitation(manifest, 0))
  await site.told('round-delivered')
  expect(double.frames.get(`${manifest.runId}/0`)).toHaveLength(1)
}

describe('a path prefix of the address', () => {
  it('is kept by every request and by the socket', async () => {
    await using site = await start({}, `${proxy.url}/`)
    await trainOnce(site)
    expect(site.events).toContainEqual(expect.objectContaining({ event: 'connected', coordinator: proxy.url }))
    expect(proxy.passed.map((request) => request.replace(/[0-9a-f]{64}|[0-9a-f-]{36}/, '*'))).toEqual([
      'POST /v1/enrol',
      'POST /v1/challenge',
      'GET /v1/blobs/*',
      'PUT /v1/runs/*/rounds/0/update',
    ])
  })
})

describe('a network without WebSocket', () => {
  it('is crossed by long polling, and the site is told', async () => {
    proxy.websocket = 'refuse'
    await using site = await start()
    expect(await site.told('connected')).toMatchObject({ transport: 'polling' })
    await trainOnce(site)
    expect(site.events.some(({ event }) => event === 'unreachable')).toBe(false)
  })

  it('is told from one with a proxy that cuts each WebSocket soon after it has opened', async () => {
    await using site = await start()
    for (const nth of [1, 2, 3]) {
      expect(await site.told('connected', nth)).not.toHaveProperty('transport')
      expect(proxy.cutWebsockets()).toBe(1)
      await site.told('disconnected', nth)
    }
    expect(await site.told('connected', 4)).toMatchObject({ transport: 'polling' })
    await trainOnce(site)
  })

  it.each([
    [59_999, 'polling'],
    [60_000, 'websocket'],
  ])('is not taken for one where each WebSocket lasts: %i ms, then %s', async (lastingMs, next) => {
    const behind = createServer()
    const server = new Server(behind, { serveClient: false })
    await using _server = { [Symbol.asyncDispose]: () => server.close() }
    server.of('/client')
    behind.listen(0, '127.0.0.1')
    await once(behind, 'listening')
    await using cutting = await reverseProxy(`http://127.0.0.1:${(behind.address() as AddressInfo).port}`)
    let now = 0
    const { socket, transport } = openSocket(
      routeTo(cutting.url),
      '/client',
      { reconnection: false },
      { now: () => now },
    )
    const ended = () => new Promise<unknown>((resolve) => socket.io.once('close', resolve))
    const opened = () => new Promise<void>((resolve) => socket.io.once('open', resolve))
    for (let nth = 1; nth <= 4; nth += 1) {
      const [open, end] = [opened(), ended()]
      socket.connect()
      await open
      now += lastingMs
      if (nth === 4) break
      expect(transport()).toBe('websocket')
      cutting.cutWebsockets()
      await end
    }
    expect(transport()).toBe(next)
    socket.disconnect()
  })

  it('takes no more from a coordinator than it has to say', async () => {
    let sent = 0
    const endless = createServer((request, response) => {
      if (request.headers.upgrade !== undefined) return void response.writeHead(403).end()
      const chunk = Buffer.alloc(2 ** 20, 'a')
      const more = (): void => {
        if (sent >= 100 * chunk.length) return void response.end()
        sent += chunk.length
        response.write(chunk, (error) => (error ? undefined : setImmediate(more)))
      }
      more()
    })
    endless.listen(0, '127.0.0.1')
    await once(endless, 'listening')
    const { port } = endless.address() as AddressInfo
    const { socket } = openSocket(routeTo(`http://127.0.0.1:${port}`), '/operator', { reconnectionDelay: 1 })
    const told = new Promise((resolve) => {
      socket.on('connect_error', (error) => {
        const refusal = catalogueErrorIn(error)
        if (refusal?.code === 'MESSAGE_INVALID' || sent >= 100 * 2 ** 20) resolve(refusal?.code)
      })
    })
    socket.connect()
    try {
      expect(await told).toBe('MESSAGE_INVALID')
    } finally {
      socket.disconnect()
      endless.closeAllConnections()
      endless.close()
    }
  })

  it('is told with its limit where a message is too large for a proxy, and does not stall in silence', async () => {
    proxy.websocket = 'refuse'
    await using site = await start()
    await site.told('connected')
    proxy.mostBodyBytes = 200
    const peer = await double.peer()
    void peer.offer(manifest).catch(() => {}) // the answer has more bytes than the proxy takes
    expect(await site.told('unreachable')).toMatchObject({
      error: {
        got: expect.stringMatching(/413.*takes no body of \d+ bytes/),
        remedy: expect.stringContaining('client_max_body_size'),
      },
    })
    proxy.mostBodyBytes = Number.POSITIVE_INFINITY
    await site.told('connected', 2)
    await trainOnce(site)
  })
})

describe('a forward proxy', () => {
  const target = () => `127.0.0.1:${proxy.port}`

  it('carries every request and the socket', async () => {
    await using forward = await forwardProxy()
    await using site = await start({ HTTP_PROXY: `http://127.0.0.1:${forward.port}` })
    await trainOnce(site)
    expect(site.events).not.toContainEqual(expect.objectContaining({ transport: 'polling' }))
    expect(new Set(forward.asked)).toEqual(new Set([target()]))
    expect(forward.asked.length).toBeGreaterThanOrEqual(proxy.passed.length + 1) // the tunnel of the socket
  })

  it('carries long polling where WebSocket is blocked behind it', async () => {
    proxy.websocket = 'refuse'
    await using forward = await forwardProxy()
    await using site = await start({ http_proxy: `127.0.0.1:${forward.port}` })
    expect(await site.told('connected')).toMatchObject({ transport: 'polling' })
    await trainOnce(site)
    expect(forward.asked.length).toBeGreaterThanOrEqual(proxy.passed.length)
  })

  it('is passed by for what NO_PROXY names', async () => {
    await using forward = await forwardProxy()
    await using site = await start({
      HTTP_PROXY: `http://127.0.0.1:${forward.port}`,
      NO_PROXY: `.internal, ${target()}`,
    })
    await trainOnce(site)
    expect(forward.asked).toEqual([])
  })

  it('that is away is told of by its address, and waited for', async () => {
    const away = await forwardProxy()
    await away[Symbol.asyncDispose]()
    const told: string[] = []
    const waiting = startClient(sampleSite(folder.path, proxy.url, { maxWaitSeconds: 1 }), {
      transport: networkTransport(
        proxy.url,
        {},
        {
          pause: noWait,
          env: { HTTP_PROXY: `http://north:geheim@127.0.0.1:${away.port}` },
        },
      ),
      onEvent: (event) => event.event === 'unreachable' && told.push(event.error.got),
    })
    await expect(waiting).rejects.toThrow('COORDINATOR_UNREACHABLE')
    expect(told).toEqual([`no answer by way of the proxy http://127.0.0.1:${away.port}`])
  })

  it('gets the name and the password of its address, and a refusal says how to give them without repeating any', async () => {
    await using forward = await forwardProxy('north:geheim')
    for (const wrong of ['', 'north:gehein@']) {
      const refused = start({ HTTP_PROXY: `http://${wrong}127.0.0.1:${forward.port}` })
      await expect(refused).rejects.toThrow(
        /^COORDINATOR_UNREACHABLE: .*407: the proxy http:\/\/127\.0\.0\.1:\d+ wants a name and a password\. .*HTTPS_PROXY=/,
      )
      await expect(refused).rejects.not.toThrow(/gehei/)
    }
    await using site = await start({ HTTP_PROXY: `http://north:geheim@127.0.0.1:${forward.port}` })
    await trainOnce(site)
    expect(JSON.stringify(site.events)).not.toContain('geheim')
  })
})

describe('what answers in the place of a coordinator', () => {
  const html = { 'content-type': 'text/html; charset=utf-8' }
  const cases: readonly [string, OwnAnswer, RegExp][] = [
    ['a login page', { status: 200, headers: html }, /got a web page \(HTTP status 200\), as a login page/],
    ['another server', { status: 200, headers: { 'content-type': 'text/plain' }, body: 'hello' }, /got no JSON/],
    ['a captive portal', { status: 511 }, /got a web page \(HTTP status 511\)/],
    [
      'a redirect',
      { status: 302, headers: { location: 'https://u:geheim@portal.test/login' } },
      /got a redirect to https:\/\/portal\.test\/login\. Nothing was sent there/,
    ],
    [
      'a relative redirect',
      { status: 301, headers: { location: '/login' } },
      /got a redirect to http:\/\/127\.0\.0\.1:\d+\/login/,
    ],
    ['a server that wants a log-in', { status: 401 }, /401: something in front of it asks for a name and a password/],
    ['a port that speaks TLS', { status: 400 }, /400, as a port that speaks TLS answers.*https:/],
    ['a filter', { status: 403 }, /403: a proxy or a filter does not let this through.*allow 127\.0\.0\.1/],
    ['another server without the path', { status: 404 }, /404 of a server that is no coordinator.*prefix/],
    ['a server that takes no POST', { status: 405 }, /405 of a server that is no coordinator/],
    ['a server that takes itself for a proxy', { status: 407 }, /407 of what answers at http:.* itself.* give no name/],
    ['a proxy with a limit', { status: 413 }, /413: a proxy takes no body of \d+ bytes.*client_max_body_size/],
  ]
  it.each(cases)('is told for what it is, and ends an enrolment: %s', async (_what, own, told) => {
    proxy.answer = (path) => (path === '/v1/enrol' ? own : undefined)
    const refused = start()
    await expect(refused).rejects.toThrow(told)
    await expect(refused).rejects.toThrow(/^COORDINATOR_UNREACHABLE: expected an answer of the coordinator at http/)
    await expect(refused).rejects.not.toThrow(/geheim/)
    expect(double.enrolmentTokens.size).toBe(1)
  })

  it('is told and waited for where a proxy does not reach the coordinator', async () => {
    let isAway = true
    proxy.answer = () => (isAway ? { status: 502 } : undefined)
    const told: string[] = []
    const transport = networkTransport(proxy.url, {}, { pause: noWait, env: {} })
    const starting = startClient(sampleSite(folder.path, proxy.url), {
      transport,
      onEvent: (event) => {
        if (event.event !== 'unreachable') return
        told.push(event.error.got)
        isAway = false
      },
    })
    await using node = await starting
    await node.connected
    expect(told).toEqual(['HTTP status 502: a proxy does not reach it'])
  })

  it.each(cases)('costs no update: %s', async (_what, own) => {
    await using site = await start()
    proxy.answer = (path) => (/\/update/.test(path) ? own : undefined)
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    expect(await site.told('unreachable')).toMatchObject({ error: { code: 'COORDINATOR_UNREACHABLE' } })
    expect(site.events.some(({ event }) => event === 'round-failed')).toBe(false)
    proxy.answer = () => undefined
    await site.told('round-delivered')
    expect(double.reports.at(-1)!.reservations).toHaveLength(1)
  })

  it('is told of a connection too, and waited for', async () => {
    {
      await using site = await start()
      await site.told('connected')
    }
    proxy.answer = () => ({ status: 403 })
    proxy.websocket = 'refuse'
    const told = deferred<string>()
    const starting = startClient(sampleSite(folder.path, proxy.url), {
      transport: networkTransport(proxy.url, {}, { pause: noWait, env: {} }),
      onEvent: (event) => event.event === 'unreachable' && told.resolve(event.error.got),
    })
    expect(await told.promise).toMatch(/^HTTP status 403: a proxy or a filter/)
    proxy.answer = () => undefined
    await using _node = await starting
  })
})

describe('an update that is larger than a proxy takes', () => {
  const frame = randomBytes(1_300_000)

  /** Takes uploads as a coordinator does, bodies up to a limit. */
  async function taker(mostBytes: number) {
    const parts = new Map<string, Buffer>()
    const log: string[] = []
    const lost = { parts: 0 }
    const take = async (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const reply = (status: number, value: unknown) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      if (body.length > mostBytes) {
        log.push(`${body.length} refused`)
        response.writeHead(413, { 'content-type': 'text/html' }).end('<h1>413</h1>')
        return
      }
      const [, part] = /\/parts\/([0-9a-f]{64})$/.exec(request.url!) ?? []
      log.push(`${request.method} ${body.length}`)
      if (part !== undefined) {
        if (sha256Hex(body) === part) parts.set(part, body)
        return reply(200, { sha256: part })
      }
      const whole = request.method === 'PUT' ? body : joined(JSON.parse(body.toString()) as { parts: string[] })
      if (whole === undefined) {
        const error = { code: 'BLOB_NOT_FOUND', expected: 'a part', got: 'none', remedy: '' }
        return reply(404, { error })
      }
      return reply(200, { status: 'accepted', sha256: sha256Hex(whole) })
    }
    const server = createServer((request, response) => void take(request, response))
    const joined = (named: { parts: string[] }): Buffer | undefined => {
      if (lost.parts > 0) {
        lost.parts -= 1
        parts.clear()
      }
      const found = named.parts.map((sha256) => parts.get(sha256))
      return found.every((part) => part !== undefined) ? Buffer.concat(found) : undefined
    }
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { url, log, lost, [Symbol.dispose]: () => void server.close() }
  }
  const upload = async (
    url: string,
    bytes: Uint8Array,
    told: { push(message: string): void } = [] as string[],
    signal: AbortSignal = AbortSignal.timeout(20_000),
  ) => {
    const update = { runId: manifest.runId, round: 0, uploadToken: 'token', frame: bytes }
    const onUnanswered = (other?: Error) => told.push(String(other?.message))
    return await uploadFrame(routeTo(url, {}, {}), update, signal, { pause: noWait, onUnanswered })
  }

  it('goes whole where that is possible', async () => {
    using server = await taker(2_000_000)
    expect(await upload(server.url, frame)).toEqual({ status: 'accepted', sha256: sha256Hex(frame) })
    expect(server.log).toEqual(['PUT 1300000'])
  })

  it.each([
    [1_000_000, ['1300000 refused', 'PUT 524288', 'PUT 524288', 'PUT 251424']],
    [300_000, ['1300000 refused', '524288 refused', ...Array.from({ length: 4 }, () => 'PUT 262144'), 'PUT 251424']],
  ])('goes in parts where bodies of more than %i bytes are refused', async (mostBytes, expected) => {
    using server = await taker(mostBytes)
    const told: string[] = []
    expect((await upload(server.url, frame, told)).sha256).toBe(sha256Hex(frame))
    expect(server.log.slice(0, -1)).toEqual(expected)
    expect(server.log.at(-1)).toMatch(/^POST/)
    expect(told).toEqual([])
  })

  it('goes again where the parts are not there any more', async () => {
    using server = await taker(1_000_000)
    server.lost.parts = 1
    expect((await upload(server.url, frame)).sha256).toBe(sha256Hex(frame))
    expect(server.log.filter((line) => line.startsWith('POST'))).toHaveLength(2)
  })

  it('is told with the limit that has to be raised where the smallest parts are too large', async () => {
    using server = await taker(10_000)
    const abort = new AbortController()
    const told = deferred<string>()
    const sending = upload(server.url, frame, { push: told.resolve }, abort.signal)
    expect(await told.promise).toMatch(/413: a proxy takes no body of 65536 bytes.*client_max_body_size/)
    abort.abort(new Error('enough'))
    await expect(sending).rejects.toThrow('enough')
  })
})
