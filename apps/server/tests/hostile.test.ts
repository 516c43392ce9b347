import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isFedsvdError } from '../../../packages/core/src/errors.ts'
import type { Invitation } from '../../../packages/core/src/protocol/index.ts'
import {
  call,
  type FakeClient,
  rawConnection,
  type TestCoordinator,
  temporaryFolder,
  testCoordinator,
  until,
} from '../../../packages/testing/src/server/index.ts'
import type { CoordinatorSettings } from '../src/index.ts'

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
  } catch (error) {
    if (isFedsvdError(error)) return error.code
    throw error
  }
  return 'none'
}

/** A coordinator with one round open, two clients invited, and its files in view. */
async function openRound(settings: CoordinatorSettings = {}) {
  const folder = await temporaryFolder()
  const coordinator = await testCoordinator({ ...settings, stateDir: folder.path })
  const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 1, deadlineSeconds: 3600 })
  const options = { train: async () => {} }
  const [client, other] = [await coordinator.client('a', options), await coordinator.client('b', options)]
  await Promise.all([client.connect(), other.connect()])
  await until('both invitations', () => client.invitations.length + other.invitations.length === 2)
  return {
    coordinator,
    runId,
    client,
    other,
    folder: folder.path,
    invitation: client.invitations[0]!,
    incoming: () => readdir(path.join(folder.path, 'blobs', 'incoming')),
    /** How many bytes of updates have come in so far. */
    received: async () => {
      const page = String((await call(coordinator.url, 'GET /metrics')).body)
      return Number(/^fedsvd_update_bytes_total (\d+)$/m.exec(page)![1])
    },
    async [Symbol.asyncDispose]() {
      await coordinator[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function putHead({ runId, round, uploadToken }: Invitation, body: string): string {
  return [
    `PUT /v1/runs/${runId}/rounds/${round}/update HTTP/1.1`,
    'Host: coordinator',
    `Authorization: Bearer ${uploadToken}`,
    body,
    '\r\n',
  ].join('\r\n')
}

async function finishes(coordinator: TestCoordinator, runId: string, clients: readonly FakeClient[]): Promise<void> {
  for (const client of clients) expect((await client.upload(client.invitations[0]!)).status).toBe('accepted')
  await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
}

describe('a sender that is slow on purpose', () => {
  it.each([
    ['never ends its headers', { headersSeconds: 2 }, 'GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: '],
    [
      'never ends its body',
      { requestSeconds: 2 },
      'POST /v1/challenge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    ],
    ['says nothing at all', { idleSeconds: 2 }, ''],
  ])('is cut off when it %s, while others are served', async (_, settings, text) => {
    await using coordinator = await testCoordinator(settings)
    const slow = await rawConnection(coordinator.url)
    slow.send(text)
    expect((await call(coordinator.url, 'GET /healthz')).status).toBe(200)
    expect(await slow.closed).toMatch(/^(HTTP\/1\.1 408 |$)/)
    expect((await call(coordinator.url, 'GET /healthz')).status).toBe(200)
  })

  it('is cut off in the middle of an upload, which leaves no file and costs no round', async () => {
    await using at = await openRound({ requestSeconds: 2 })
    const frame = at.client.frame(at.invitation)
    const slow = await rawConnection(at.coordinator.url)
    slow.send(putHead(at.invitation, `Content-Length: ${frame.length}`))
    slow.send(frame.subarray(0, 100))
    await until('the beginning', async () => (await at.received()) === 100)
    await slow.closed
    expect(await at.incoming()).toEqual([])
    await finishes(at.coordinator, at.runId, [at.client, at.other])
  })
})

describe('an upload that is not whole', () => {
  let at: Awaited<ReturnType<typeof openRound>>
  beforeAll(async () => {
    at = await openRound()
  })
  afterAll(() => at[Symbol.asyncDispose]())

  it('leaves nothing when it is broken off, however often', async () => {
    const { client, invitation, coordinator } = at
    const frame = client.frame(invitation)
    let sent = await at.received()
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const sender = await rawConnection(coordinator.url)
      sender.send(putHead(invitation, `Content-Length: ${frame.length}`))
      sender.send(frame.subarray(0, 1 + 10 * attempt))
      sent += 1 + 10 * attempt
      await until('the beginning', async () => (await at.received()) === sent)
      if (attempt % 2 === 0) sender.socket.resetAndDestroy()
      else sender.socket.end()
    }
    expect(await at.incoming()).toEqual([])
  })

  it('is refused when it ends early by its own account', async () => {
    const { client, invitation } = at
    for (const length of [0, 1, 83, 116, client.frame(invitation).length - 1]) {
      expect(await codeOf(client.upload(invitation, client.frame(invitation).slice(0, length)))).toBe('FRAME_MALFORMED')
    }
    expect(await at.incoming()).toEqual([])
  })

  it('is refused when it never ends: without a length, no more than a frame is read', async () => {
    const endless = await rawConnection(at.coordinator.url)
    endless.send(putHead(at.invitation, 'Transfer-Encoding: chunked'))
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')])
    const more = (): void => {
      while (!endless.socket.destroyed && endless.socket.write(chunk));
    }
    endless.socket.on('drain', more)
    more()
    expect(await endless.closed).toContain('FRAME_TOO_LARGE')
    expect(await at.incoming()).toEqual([])
  })

  it('is refused when its length is a lie or its request smuggles another', async () => {
    for (const lengths of [
      'Content-Length: -1',
      'Content-Length: 99999999999999999999999',
      'Content-Length: 5\r\nContent-Length: 6',
      'Content-Length: 5\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: chunked, nonsense',
    ]) {
      const sender = await rawConnection(at.coordinator.url)
      sender.send(`${putHead(at.invitation, lengths)}ZZZZZ\r\n\r\n`)
      sender.socket.end()
      expect(await sender.closed).not.toContain('200 OK')
    }
    expect((await at.coordinator.snapshot(at.runId)).current?.received).toEqual([])
  })

  it('is not taken under the token or the name of another, and a replay counts once', async () => {
    const { client, other, invitation } = at
    const [mine, others] = [client.frame(invitation), other.frame(other.invitations[0]!)]
    expect(await codeOf(client.upload(invitation, mine, other.invitations[0]!.uploadToken))).toBe('FRAME_MALFORMED')
    expect(await codeOf(client.upload(invitation, others))).toBe('FRAME_MALFORMED')
    expect((await at.coordinator.snapshot(at.runId)).current?.received).toEqual([])
    const replies = await Promise.all(Array.from({ length: 8 }, () => client.upload(invitation, mine)))
    expect(new Set(replies.map(({ sha256 }) => sha256)).size).toBe(1)
    expect((await at.coordinator.snapshot(at.runId)).current?.received).toEqual([client.clientId])
  })

  it('does not stand in the way of one without a length that is right', async () => {
    const { other } = at
    const frame = other.frame(other.invitations[0]!)
    const sender = await rawConnection(at.coordinator.url)
    sender.send(putHead(other.invitations[0]!, 'Transfer-Encoding: chunked\r\nConnection: close'))
    for (const byte of [frame.subarray(0, 50), frame.subarray(50)]) {
      sender.send(`${byte.length.toString(16)}\r\n`)
      sender.send(byte)
      sender.send('\r\n')
    }
    sender.send('0\r\n\r\n')
    expect(await sender.closed).toContain('"status":"accepted"')
    await at.coordinator.seen(at.runId, 'the end', ({ state }) => state === 'completed')
  })
})

describe('an address that means a file', () => {
  it.each([
    '/v1/blobs/../../operator.token',
    '/v1/blobs/..%2f..%2foperator.token',
    '/v1/blobs/%2e%2e/%2e%2e/operator.token',
    '/v1/blobs/..%5c..%5coperator.token',
    '/v1/blobs/%00',
    '/assets/../../../../operator.token',
    '/assets/..%2f..%2f..%2fpackage.json',
    '/../../../../../../etc/passwd',
  ])('gives nothing away: %s', async (address) => {
    await using at = await openRound()
    const secret = await readFile(path.join(at.folder, 'operator.token'), 'utf8')
    const asker = await rawConnection(at.coordinator.url)
    const authorization = `Authorization: Bearer ${at.client.sessionToken}`
    asker.send(`GET ${address} HTTP/1.1\r\nHost: a\r\n${authorization}\r\nConnection: close\r\n\r\n`)
    const answer = await asker.closed
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer).not.toContain(secret.trim())
    expect(answer).not.toContain('root:')
  })
})

describe('bytes that are no request', () => {
  it('end their own connection and nothing else', async () => {
    await using at = await openRound()
    const noise = [
      '\0\0\0\0\0',
      'HELLO',
      'GET / HTTP/9.9\r\n\r\n',
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
      '\x16\x03\x01\x02',
    ]
    for (const bytes of noise) {
      const sender = await rawConnection(at.coordinator.url)
      sender.send(bytes)
      sender.socket.end()
      expect(await sender.closed).not.toContain('200 OK')
    }
    await finishes(at.coordinator, at.runId, [at.client, at.other])
  })
})

describe('a client that asks too often', () => {
  it('has to wait, and no other client does', async () => {
    await using at = await openRound({ transfersPerMinute: 3, reportsPerMinute: 2 })
    const { client, other, invitation } = at
    const { sha256 } = invitation.state
    for (let turn = 0; turn < 3; turn += 1) await client.download(sha256)
    expect(await codeOf(client.download(sha256))).toBe('RATE_LIMITED')
    const refused = await call(at.coordinator.url, `GET /v1/blobs/${sha256}`, { bearer: client.sessionToken })
    expect(refused).toMatchObject({ status: 429, code: 'RATE_LIMITED' })
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(await codeOf(client.upload(invitation))).toBe('RATE_LIMITED')
    const report = { runId: at.runId, since: 0, reservations: [] }
    const replies = [await client.report(report), await client.report(report), await client.report(report)]
    expect(replies.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'RATE_LIMITED'])
    expect((await other.upload(other.invitations[0]!)).status).toBe('accepted')
    expect((await other.report(report)).error?.code).not.toBe('RATE_LIMITED')
  })
})
