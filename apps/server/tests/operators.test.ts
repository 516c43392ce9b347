import { createHash } from 'node:crypto'
import { io, type Socket } from 'socket.io-client'
import { describe, expect, it } from 'vitest'
import type { AuditVerdict, SessionInfo } from '../../../packages/core/src/protocol/index.ts'
import {
  type Credentials,
  call,
  createOperator,
  MovableClock,
  post,
  SECRET,
  signIn,
  signInByCookie,
  testCoordinator,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { SESSION_IDLE_MS, SESSION_LIFETIME_MS } from '../src/identity/index.ts'

const MINUTE_MS = 60_000
const silent = { train: async () => {} }
const session = async (url: string, credentials: Credentials) => await call(url, 'GET /v1/session', credentials)

describe('signing in', () => {
  it('gives a cookie that scripts cannot read, and a CSRF token beside it', async () => {
    await using coordinator = await testCoordinator()
    await createOperator(coordinator, 'ada', 'admin')
    const { url } = coordinator
    const { status, body, headers } = await call(url, 'POST /v1/session', {}, { name: 'ada', secret: SECRET })
    expect(status).toBe(201)
    expect(headers.getSetCookie()).toEqual([
      expect.stringMatching(/^fedsvd-session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
    ])
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
    const cookie = headers.getSetCookie()[0]!.split(';')[0]!
    const id = cookie.split('=')[1]!
    expect(JSON.stringify(body)).not.toContain(id)
    expect(body).toMatchObject({ role: 'admin', operator: { name: 'ada' } })
    expect((await session(url, { cookie })).body).toMatchObject({ csrfToken: (body as SessionInfo).csrfToken! })
    // What is stored is no key to anything.
    const hash = createHash('sha256').update(id).digest('hex')
    expect(await coordinator.store.operators.session(hash, Date.now())).toBeDefined()
    expect(await coordinator.store.operators.session(id, Date.now())).toBeUndefined()
    expect((await session(url, { bearer: hash })).code).toBe('TOKEN_INVALID')
  })

  it('by a link happens once, for an operator in good standing, and is noted', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken: bearer } = coordinator
    const ada = await createOperator(coordinator, 'ada', 'auditor')
    const eve = await createOperator(coordinator, 'eve', 'auditor')
    const linkOf = async ({ id }: { readonly id: string }) =>
      (await call(url, `POST /v1/operators/${id}/sign-in-link`, { bearer })).body as { readonly token: string }
    const { token } = await linkOf(ada)
    const { status, body, headers } = await call(url, 'POST /v1/session/link', {}, { token })
    expect([status, body]).toMatchObject([201, { role: 'auditor', operator: { name: 'ada' } }])
    const cookie = headers.getSetCookie()[0]!.split(';')[0]!
    expect((await session(url, { cookie })).body).toMatchObject({ operator: { id: ada.id } })
    expect(await call(url, 'POST /v1/session/link', {}, { token })).toMatchObject({ code: 'SIGN_IN_REFUSED' })
    const late = await linkOf(eve)
    await call(url, `POST /v1/operators/${eve.id}/disable`, { bearer })
    expect(await call(url, 'POST /v1/session/link', {}, { token: late.token })).toMatchObject({
      code: 'SIGN_IN_REFUSED',
    })
    const noted = (await coordinator.store.audit.page(0, 100)).map(({ action }) => action)
    expect(noted.filter((action) => /link|session/.test(action))).toEqual([
      'operator.link',
      'session.begin',
      'session.refuse',
      'operator.link',
      'session.refuse',
    ])
  })

  it('gives a Secure cookie of this host where a trusted proxy speaks TLS', async () => {
    await using coordinator = await testCoordinator({ trustedProxies: 1 })
    await createOperator(coordinator, 'ada', 'admin')
    const reply = await fetch(`${coordinator.url}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-proto': 'https' },
      body: JSON.stringify({ name: 'ada', secret: SECRET }),
    })
    const [cookie] = reply.headers.getSetCookie()
    expect(cookie).toMatch(/^__Host-fedsvd-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
    expect((await session(coordinator.url, { cookie: cookie!.split(';')[0]! })).status).toBe(200)
  })

  it('refuses an unknown name, a wrong secret and a disabled operator in the same words, and notes it', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken: bearer, store } = coordinator
    await createOperator(coordinator, 'ada', 'admin')
    const gone = await createOperator(coordinator, 'gone', 'admin')
    await call(url, `POST /v1/operators/${gone.id}/disable`, { bearer })
    const before = (await store.audit.page(0, 100)).length
    const pairs = [
      ['nobody', SECRET],
      ['ada', 'not the secret'],
      ['gone', SECRET],
    ]
    const answers = []
    for (const [name, secret] of pairs) answers.push(await call(url, 'POST /v1/session', {}, { name, secret }))
    expect(answers[0]).toMatchObject({ status: 401, code: 'SIGN_IN_REFUSED' })
    for (const { status, body, headers } of answers) {
      expect({ status, body }).toEqual({ status: 401, body: answers[0]!.body })
      expect(headers.getSetCookie()).toEqual([])
    }
    const noted = await store.audit.page(before, 10)
    expect(noted.map(({ actor, action }) => [actor, action])).toEqual(pairs.map(() => ['anonymous', 'session.refuse']))
    expect(noted[0]!.object).toBe('operator:unknown')
    expect(JSON.stringify(noted)).not.toMatch(/nobody|secret/)
  })

  it('is slowed down when it is refused too often, and only then', async () => {
    await using coordinator = await testCoordinator({ refusedSignInsPerMinute: 2 })
    await createOperator(coordinator, 'ada', 'admin')
    const attempt = (secret: string) => call(coordinator.url, 'POST /v1/session', {}, { name: 'ada', secret })
    for (const _ of [1, 2, 3]) expect((await attempt(SECRET)).status).toBe(201)
    expect((await attempt('guess')).code).toBe('SIGN_IN_REFUSED')
    expect((await attempt('guess')).code).toBe('SIGN_IN_REFUSED')
    const refused = await attempt(SECRET)
    expect(refused).toMatchObject({ status: 429, code: 'RATE_LIMITED' })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('does not make an operator of a bad request, nor two of one name', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken: bearer } = coordinator
    const good = { name: 'ada', role: 'auditor', secret: SECRET }
    const create = (changes: object) => call(url, 'POST /v1/operators', { bearer }, { ...good, ...changes })
    const bad = [{ role: 'king' }, { secret: 'short' }, { name: ' ' }, { name: '<b>' }, { secret: undefined }]
    for (const changes of bad) expect(await create(changes)).toMatchObject({ status: 400, code: 'MESSAGE_INVALID' })
    const made = await create({})
    expect(made.status).toBe(201)
    expect(JSON.stringify(made.body)).not.toMatch(/secret|scrypt/)
    expect(await create({})).toMatchObject({ status: 409, code: 'OPERATOR_EXISTS' })
    const { body } = await call(url, 'GET /v1/operators', { bearer })
    expect(body).toEqual({ operators: [made.body] })
  })
})

describe('a session', () => {
  it('lasts while it is used, but not for ever', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    await createOperator(coordinator, 'ada', 'auditor')
    const bearer = await signIn(coordinator.url, 'ada')
    const idle = await signIn(coordinator.url, 'ada')
    const began = clock.now()
    const step = SESSION_IDLE_MS - MINUTE_MS
    clock.advance(step)
    expect((await session(coordinator.url, { bearer })).status).toBe(200)
    clock.advance(step)
    expect((await session(coordinator.url, { bearer: idle })).code).toBe('TOKEN_INVALID')
    let uses = 0
    while ((await session(coordinator.url, { bearer })).status === 200) {
      uses += 1
      clock.advance(step)
    }
    expect(uses).toBeGreaterThan(10)
    const lasted = clock.now() - began
    expect(lasted).toBeGreaterThanOrEqual(SESSION_LIFETIME_MS)
    expect(lasted).toBeLessThan(SESSION_LIFETIME_MS + step)
  })

  it('ends with the sign-out, and no other does', async () => {
    await using coordinator = await testCoordinator()
    const { url } = coordinator
    await createOperator(coordinator, 'ada', 'auditor')
    const [first, second] = [await signInByCookie(url, 'ada'), await signInByCookie(url, 'ada')]
    const { status, headers } = await call(url, 'DELETE /v1/session', first)
    expect(status).toBe(204)
    expect(headers.getSetCookie()[0]).toMatch(/^fedsvd-session=; Path=\/; Expires=Thu, 01 Jan 1970/)
    expect((await session(url, first)).code).toBe('TOKEN_INVALID')
    expect((await session(url, second)).status).toBe(200)
    // The operator token is no session, and stays.
    expect(await call(url, 'DELETE /v1/session', { bearer: coordinator.operatorToken })).toMatchObject({ status: 401 })
    expect((await session(url, { bearer: coordinator.operatorToken })).body).toEqual({ role: 'admin' })
  })
})

describe('a live connection', () => {
  async function connect(url: string, token: string): Promise<{ socket: Socket; ended: Promise<string> }> {
    const socket = io(`${url}/operator`, { auth: { token }, forceNew: true, transports: ['websocket'] })
    const ended = new Promise<string>((resolve) => socket.once('disconnect', resolve))
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    return { socket, ended }
  }

  it('of an operator ends with its session, and with its operator', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken } = coordinator
    const ada = await createOperator(coordinator, 'ada', 'auditor')
    const [first, second] = [await signIn(url, 'ada'), await signIn(url, 'ada')]
    const leaving = await connect(url, first)
    const staying = await connect(url, second)
    const token = await connect(url, operatorToken)
    await call(url, 'DELETE /v1/session', { bearer: first })
    expect(await leaving.ended).toBe('io server disconnect')
    expect(staying.socket.connected).toBe(true)
    await call(url, `POST /v1/operators/${ada.id}/disable`, { bearer: operatorToken })
    expect(await staying.ended).toBe('io server disconnect')
    expect(token.socket.connected).toBe(true)
    expect((await session(url, { bearer: second })).code).toBe('TOKEN_INVALID')
    token.socket.disconnect()
  })

  it('of an operator ends when its session expires, and not while it is in use', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    const { url } = coordinator
    await createOperator(coordinator, 'ada', 'auditor')
    const [used, idle] = [await signIn(url, 'ada'), await signIn(url, 'ada')]
    const [staying, leaving] = [await connect(url, used), await connect(url, idle)]
    clock.advance(SESSION_IDLE_MS - MINUTE_MS)
    expect((await session(url, { bearer: used })).status).toBe(200)
    clock.advance(2 * MINUTE_MS)
    expect(await leaving.ended).toBe('io server disconnect')
    expect(staying.socket.connected).toBe(true)
    staying.socket.disconnect()
  })

  it('of an operator ends when another coordinator has ended its session', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    await createOperator(coordinator, 'ada', 'auditor')
    const bearer = await signIn(coordinator.url, 'ada')
    const { ended } = await connect(coordinator.url, bearer)
    await coordinator.store.operators.endSession(createHash('sha256').update(bearer).digest('hex'))
    clock.advance(20_000)
    expect(await ended).toBe('io server disconnect')
  })

  it('of an operator ends when the role has become another', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    const { id } = await createOperator(coordinator, 'ada', 'admin')
    const { ended } = await connect(coordinator.url, await signIn(coordinator.url, 'ada'))
    await coordinator.store.operators.setRole(id, 'operator')
    clock.advance(20_000)
    expect(await ended).toBe('io server disconnect')
  })

  it('of a client ends when it is revoked, and nothing that it holds is worth anything any more', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken: bearer } = coordinator
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('site', silent)
    await client.connect()
    await until('the invitation', () => client.invitations.length === 1)
    const ready = await client.handshake()
    const { sha256 } = client.invitations[0]!.state
    expect((await client.download(sha256)).length).toBeGreaterThan(0)

    const ended = new Promise((resolve) => client.socket!.once('disconnect', resolve))
    const revoked = await call(url, `POST /v1/clients/${client.clientId}/revoke`, { bearer })
    expect(revoked.body).toMatchObject({ clientId: client.clientId, revokedAt: expect.any(String) })
    expect(await ended).toBe('io server disconnect')
    await expect(client.download(sha256)).rejects.toThrow(/TOKEN_INVALID/)
    await expect(client.upload(client.invitations[0]!)).rejects.toThrow(/FORBIDDEN: .*revoked/)
    await expect(client.connect(ready)).rejects.toThrow(/FORBIDDEN: .*revoked/)
    await expect(client.connect()).rejects.toThrow(/FORBIDDEN: .*revoked/)
    expect((await coordinator.snapshot(runId)).clients[0]).toMatchObject({ connected: false })

    const again = await call(url, `POST /v1/clients/${client.clientId}/revoke`, { bearer })
    expect(again).toMatchObject({ status: 200, body: { revokedAt: (revoked.body as { revokedAt: string }).revokedAt } })
    const { body } = await call(url, 'GET /v1/clients', { bearer })
    expect(body).toMatchObject({ clients: [{ name: 'site', connected: false, revokedAt: expect.any(String) }] })
  })
})

describe('the audit log', () => {
  it('tells the whole story, in pages, and verifies', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken: bearer } = coordinator
    const olga = await createOperator(coordinator, 'olga', 'operator')
    const auditor = await createOperator(coordinator, 'aude', 'auditor')
    const [olgas, audes] = [await signIn(url, 'olga'), await signIn(url, 'aude')]
    const client = await coordinator.client('site')
    const { runId } = await post<{ runId: string }>(url, '/v1/runs', tinyRequest(), olgas)
    await call(url, `POST /v1/runs/${runId}/stop`, { bearer: olgas })
    await call(url, `POST /v1/clients/${client.clientId}/revoke`, { bearer })
    await call(url, 'DELETE /v1/session', { bearer: olgas })
    await call(url, `POST /v1/operators/${olga.id}/disable`, { bearer })

    const page = async (query: string) =>
      (await call(url, `GET /v1/audit-log${query}`, { bearer: audes })).body as {
        entries: { seq: number; actor: string; action: string; object: string; detail: object; hash: string }[]
      }
    const { entries } = await page('')
    expect(entries.map(({ actor, action, object }) => `${actor} ${action} ${object}`)).toEqual([
      `operator-token operator.create operator:${olga.id}`,
      `operator-token operator.create operator:${auditor.id}`,
      `operator:${olga.id} session.begin operator:${olga.id}`,
      `operator:${auditor.id} session.begin operator:${auditor.id}`,
      'operator-token enrolment-token.create enrolment-tokens',
      `client:${client.clientId} client.enrol client:${client.clientId}`,
      `operator:${olga.id} run.create run:${runId}`,
      `operator:${olga.id} run.stop run:${runId}`,
      `operator-token client.revoke client:${client.clientId}`,
      `operator:${olga.id} session.end operator:${olga.id}`,
      `operator-token operator.disable operator:${olga.id}`,
    ])
    const { detail: made } = entries[4]! as unknown as { detail: { tokens: [string] } }
    expect(entries[5]!.detail).toEqual({ name: 'site', token: made.tokens[0] })
    expect((await page('?after=3&limit=2')).entries).toEqual(entries.slice(3, 5))
    expect((await page('?after=11')).entries).toEqual([])
    for (const query of ['?limit=0', '?limit=1001', '?after=-1', '?after=x']) {
      expect(await call(url, `GET /v1/audit-log${query}`, { bearer })).toMatchObject({ code: 'MESSAGE_INVALID' })
    }
    const verdict = (await call(url, 'GET /v1/audit-log/verify', { bearer: audes })).body as AuditVerdict
    expect(verdict).toEqual({ intact: true, entries: 11, head: entries.at(-1)!.hash })
  })
})
