import { randomUUID } from 'node:crypto'
import { io, type Socket } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type OperatorView,
  PROTOCOL_VERSION,
  type Role,
  type RunSnapshot,
} from '../../../packages/core/src/protocol/index.ts'
import {
  type Answer,
  call,
  createOperator,
  type FakeClient,
  FakeClient as FakeClients,
  post,
  SECRET,
  signIn,
  signInByCookie,
  type TestCoordinator,
  testCoordinator,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { EVENTS, NAMESPACES, ROUTES } from '../src/identity/index.ts'

/*
 * Everything that can be reached over the network, held against the table of permissions. A new route fails here until
 * the table says who may call it and REQUESTS says how: see `is the table of permissions, route by route`.
 */

const ROLES: readonly Role[] = ['admin', 'operator', 'auditor']
const silent = { train: async () => {} }

let coordinator: TestCoordinator
let url: string
/** Bearer tokens; `otto` is an operator whom nothing below belongs to. */
let tokens: Record<Role | 'otto', string>
let cookies: Record<Role, { cookie: string; csrfToken: string }>
let ended: string
let client: FakeClient
let stranger: FakeClient
/** A run of the operator, in which the client is invited to round 0. */
let runId: string

const newRun = async (token: string): Promise<string> =>
  (await post<{ runId: string }>(url, '/v1/runs', tinyRequest({ clientsPerRound: 1, quorum: 1 }), token)).runId
let names = 0
const newClient = async (): Promise<string> =>
  (await FakeClients.enrol(url, await coordinator.enrolment(), `one more ${names++}`)).clientId

const newOperator = (): Promise<OperatorView> => createOperator(coordinator, `one more ${names++}`, 'auditor')

beforeAll(async () => {
  coordinator = await testCoordinator({ refusalsPerMinute: 100_000, refusedSignInsPerMinute: 1000 })
  url = coordinator.url
  for (const role of ROLES) await createOperator(coordinator, role, role)
  await createOperator(coordinator, 'otto', 'operator')
  tokens = {
    admin: await signIn(url, 'admin'),
    operator: await signIn(url, 'operator'),
    auditor: await signIn(url, 'auditor'),
    otto: await signIn(url, 'otto'),
  }
  cookies = {
    admin: await signInByCookie(url, 'admin'),
    operator: await signInByCookie(url, 'operator'),
    auditor: await signInByCookie(url, 'auditor'),
  }
  ended = await signIn(url, 'admin')
  expect((await call(url, 'DELETE /v1/session', { bearer: ended })).status).toBe(204)
  runId = await newRun(tokens.operator)
  const decline = {
    onOffer: () => ({
      accepted: false as const,
      error: { code: 'DATA_EMPTY', expected: 'records', got: 'none', remedy: 'Add some.' },
    }),
  }
  client = await coordinator.client('site', silent)
  stranger = await coordinator.client('stranger', decline)
  await Promise.all([client.connect(), stranger.connect()])
  await until('the invitation', () => client.invitations.length > 0)
})
afterAll(() => coordinator[Symbol.asyncDispose]())

interface Request {
  readonly route: string
  readonly body?: unknown
}

/** The identifier of a token that can still be used. */
async function newTokenId(): Promise<string> {
  const bearer = coordinator.operatorToken
  await call(url, 'POST /v1/enrolment-tokens', { bearer }, { count: 1, expiresInSeconds: 60 })
  const { tokens: all } = (await call(url, 'GET /v1/enrolment-tokens', { bearer })).body as {
    readonly tokens: readonly { readonly tokenId: string; readonly state: string }[]
  }
  return all.find(({ state }) => state === 'open')!.tokenId
}

/** For each route a request that is good in all but its sender, made anew each time as some can be served only once. */
const REQUESTS: Readonly<Record<string, (owner: string) => Promise<Request>>> = {
  'GET /healthz': async () => ({ route: 'GET /healthz' }),
  'GET /readyz': async () => ({ route: 'GET /readyz' }),
  'GET /metrics': async () => ({ route: 'GET /metrics' }),
  'POST /v1/enrol': async () => ({
    route: 'POST /v1/enrol',
    body: { protocolVersion: PROTOCOL_VERSION, token: 'guess', name: 'site', publicKey: 'A'.repeat(43) },
  }),
  'POST /v1/challenge': async () => ({ route: 'POST /v1/challenge', body: { clientId: client.clientId } }),
  'GET /v1/blobs/:sha256': async () => ({
    route: `GET /v1/blobs/${(await coordinator.snapshot(runId)).adapter}`,
  }),
  'PUT /v1/runs/:runId/rounds/:round/update': async () => ({ route: `PUT /v1/runs/${runId}/rounds/0/update` }),
  'PUT /v1/runs/:runId/rounds/:round/update/parts/:sha256': async () => ({
    route: `PUT /v1/runs/${runId}/rounds/0/update/parts/${'0'.repeat(64)}`,
  }),
  'POST /v1/runs/:runId/rounds/:round/update': async () => ({
    route: `POST /v1/runs/${runId}/rounds/0/update`,
    body: { parts: ['0'.repeat(64)] },
  }),
  'POST /v1/session': async () => ({ route: 'POST /v1/session', body: { name: 'admin', secret: 'not this one' } }),
  'POST /v1/session/link': async () => ({ route: 'POST /v1/session/link', body: { token: 'none' } }),
  'GET /v1/sign-in-options': async () => ({ route: 'GET /v1/sign-in-options' }),
  'GET /v1/oidc/start': async () => ({ route: 'GET /v1/oidc/start' }),
  'GET /v1/oidc/callback': async () => ({ route: 'GET /v1/oidc/callback' }),
  'GET /v1/oidc/sign-out': async () => ({ route: 'GET /v1/oidc/sign-out' }),
  'GET /v1/session': async () => ({ route: 'GET /v1/session' }),
  'DELETE /v1/session': async () => ({ route: 'DELETE /v1/session' }),
  'POST /v1/operators': async () => ({
    route: 'POST /v1/operators',
    body: { name: `new ${names++}`, role: 'auditor', secret: SECRET },
  }),
  'GET /v1/operators': async () => ({ route: 'GET /v1/operators' }),
  'POST /v1/operators/:operatorId/sign-in-link': async () => ({
    route: `POST /v1/operators/${(await newOperator()).id}/sign-in-link`,
  }),
  'POST /v1/operators/:operatorId/disable': async () => ({
    route: `POST /v1/operators/${(await newOperator()).id}/disable`,
  }),
  'GET /v1/clients': async () => ({ route: 'GET /v1/clients' }),
  'GET /v1/clients/:clientId': async () => ({ route: `GET /v1/clients/${client.clientId}` }),
  'POST /v1/clients/:clientId/revoke': async () => ({ route: `POST /v1/clients/${await newClient()}/revoke` }),
  'PATCH /v1/clients/:clientId/budget': async () => ({
    route: `PATCH /v1/clients/${await newClient()}/budget`,
    body: { epsilon: 3, delta: 1e-5 },
  }),
  'POST /v1/runs/:runId/clients/:clientId/quarantine': async () => ({ route: await ofPoisoned() }),
  'POST /v1/enrolment-tokens': async () => ({
    route: 'POST /v1/enrolment-tokens',
    body: { count: 1, expiresInSeconds: 60 },
  }),
  'GET /v1/enrolment-tokens': async () => ({ route: 'GET /v1/enrolment-tokens' }),
  'POST /v1/enrolment-tokens/:tokenId/withdraw': async () => ({
    route: `POST /v1/enrolment-tokens/${await newTokenId()}/withdraw`,
  }),
  'GET /v1/models': async () => ({ route: 'GET /v1/models' }),
  'GET /v1/run-options': async () => ({ route: 'GET /v1/run-options' }),
  'POST /v1/runs': async () => ({ route: 'POST /v1/runs', body: tinyRequest() }),
  'POST /v1/runs/price': async () => ({ route: 'POST /v1/runs/price', body: tinyRequest() }),
  'GET /v1/runs': async () => ({ route: 'GET /v1/runs' }),
  'GET /v1/runs/:runId': async () => ({ route: `GET /v1/runs/${runId}` }),
  'POST /v1/runs/:runId/stop': async (owner) => ({ route: `POST /v1/runs/${await newRun(owner)}/stop` }),
  'POST /v1/runs/:runId/pause': async (owner) => ({ route: `POST /v1/runs/${await newRun(owner)}/pause` }),
  'POST /v1/runs/:runId/resume': async (owner) => {
    const paused = await newRun(owner)
    await coordinator.store.runs.move(paused, ['waiting'], { state: 'paused' })
    return { route: `POST /v1/runs/${paused}/resume` }
  },
  'PATCH /v1/runs/:runId/plan': async (owner) => ({
    route: `PATCH /v1/runs/${await newRun(owner)}/plan`,
    body: { rounds: 7 },
  }),
  'GET /v1/runs/:runId/adapter': async () => ({ route: `GET /v1/runs/${runId}/adapter` }),
  'GET /v1/runs/:runId/ledger': async () => ({ route: `GET /v1/runs/${runId}/ledger` }),
  'GET /v1/runs/:runId/rounds': async () => ({ route: `GET /v1/runs/${runId}/rounds` }),
  'GET /v1/runs/:runId/statements/:clientId': async () => ({
    route: `GET /v1/runs/${runId}/statements/${client.clientId}`,
  }),
  'GET /v1/registered-models': async () => ({ route: 'GET /v1/registered-models' }),
  'POST /v1/runs/:runId/registered-models': async () => ({
    route: `POST /v1/runs/${await ofTrained()}/registered-models`,
    body: { name: `model ${names++}` },
  }),
  'DELETE /v1/runs/:runId/registered-models/:name/:version': async () => {
    const [trained, name] = [await ofTrained(), `model ${names++}`]
    const model = { name, runId: trained, number: 1, tags: [], createdAt: 0, createdBy: 'operator-token' }
    await coordinator.store.registeredModels.register(model)
    return { route: `DELETE /v1/runs/${trained}/registered-models/${encodeURIComponent(name)}/1` }
  },
  'GET /v1/statement-key': async () => ({ route: 'GET /v1/statement-key' }),
  'GET /v1/audit-log': async () => ({ route: 'GET /v1/audit-log' }),
  'GET /v1/audit-log/search': async () => ({ route: 'GET /v1/audit-log/search' }),
  'GET /v1/audit-log/verify': async () => ({ route: 'GET /v1/audit-log/verify' }),
}

/** A run of the operator with a published round. */
async function ofTrained(): Promise<string> {
  const trained = await newRun(tokens.operator)
  const { store } = coordinator
  const round = (await store.rounds.find(trained, 0)) ?? {
    runId: trained,
    round: 0,
    plan: { quorum: 1, clientsPerRound: 1, deadlineSeconds: 1 },
    version: 0,
    openedAt: 0,
    deadline: 1,
    extensions: 0,
    tasks: [],
  }
  const result = { sha256: '0'.repeat(64), bytes: 1, basis: 1 }
  const after = { ...round, phase: 'published' as const, version: 99, publishedAt: 1, result }
  await store.rounds.save({ after, spent: [], refunded: [] })
  return trained
}

/** A run in which a client has stated something that an admin would set aside. */
async function ofPoisoned(): Promise<string> {
  const [poisoned, clientId] = [await newRun(tokens.operator), await newClient()]
  const { store } = coordinator
  const terms = client.termsFor(client.manifests.get(runId)!)
  await store.participants.join({ runId: poisoned, clientId, terms, joinedAt: 0 })
  await store.ledger.setAhead(poisoned, clientId, 2)
  return `POST /v1/runs/${poisoned}/clients/${clientId}/quarantine`
}

/** Open to anyone, each for its reason; the list is spelled out so that it cannot grow unnoticed. */
const OPEN = [
  'GET /healthz', // says nothing but that the process lives
  'GET /metrics', // counts, without identities
  'GET /readyz',
  'GET /v1/oidc/callback', // behind what the provider says of a sign-in that this browser has begun
  'GET /v1/oidc/sign-out', // leads to the provider, with nothing of a session
  'GET /v1/oidc/start', // leads to the provider
  'GET /v1/sign-in-options', // the name of the provider
  'GET /v1/statement-key', // a public key, for the recipients of statements
  'POST /v1/challenge', // a nonce is worth nothing without the key
  'POST /v1/enrol', // behind an enrolment token
  'POST /v1/session', // behind a secret
  'POST /v1/session/link', // behind a link that an admin has made
]
const CLIENTS = [
  'GET /v1/blobs/:sha256',
  'POST /v1/runs/:runId/rounds/:round/update',
  'PUT /v1/runs/:runId/rounds/:round/update',
  'PUT /v1/runs/:runId/rounds/:round/update/parts/:sha256',
]
const OPERATORS = Object.keys(ROUTES).filter((route) => typeof ROUTES[route] !== 'string')
const rolesOf = (route: string): readonly Role[] => ROUTES[route] as readonly Role[]

async function send(route: string, ...rest: [Parameters<typeof call>[2]?, string?]): Promise<Answer> {
  const [credentials, owner = tokens.operator] = rest
  const { route: address, body } = await REQUESTS[route]!(owner)
  return await call(url, address, credentials, body)
}

const auditLength = async (): Promise<number> => (await coordinator.store.audit.page(0, 100_000)).length

describe('what is served', () => {
  it('is the table of permissions, route by route', () => {
    const { routes } = coordinator.served()
    expect(routes.toSorted()).toEqual(Object.keys(ROUTES).toSorted())
    expect(Object.keys(REQUESTS).toSorted()).toEqual(Object.keys(ROUTES).toSorted())
    expect(OPERATORS.length).toBeGreaterThan(10)
  })

  it('is the table of permissions, event by event', async () => {
    const socket = await connected('/operator', { token: tokens.auditor })
    const { namespaces, events } = coordinator.served()
    expect(namespaces.toSorted()).toEqual(Object.keys(NAMESPACES).toSorted())
    expect(events).toEqual(Object.keys(EVENTS).toSorted())
    socket.disconnect()
  })

  it('is open to anyone, or up to the clients, only where that is meant', () => {
    const routes = Object.keys(ROUTES).toSorted()
    expect(routes.filter((route) => ROUTES[route] === 'anyone')).toEqual(OPEN)
    expect(routes.filter((route) => ROUTES[route] === 'client')).toEqual(CLIENTS)
  })
})

describe('an enrolment token that there is not', () => {
  it.each([
    ['0123456789ab', 404, 'TOKEN_NOT_FOUND'],
    ['0123456789AB', 400, 'MESSAGE_INVALID'],
    ['%', 400, 'MESSAGE_INVALID'],
  ])('is refused as %s', async (tokenId, status, code) => {
    const route = `POST /v1/enrolment-tokens/${encodeURIComponent(tokenId)}/withdraw`
    expect(await call(url, route, { bearer: tokens.operator })).toMatchObject({ status, code })
  })
})

describe.each(OPERATORS)('%s', (route) => {
  it('refuses a caller that is not signed in', async () => {
    const { session } = { session: client.sessionToken }
    const { uploadToken } = client.invitations[0]!
    const { route: address, body } = await REQUESTS[route]!(tokens.operator)
    const before = await auditLength()
    const bearers = [undefined, 'guess', ended, session, uploadToken]
    for (const bearer of bearers) {
      expect(await call(url, address, { bearer }, body)).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    }
    for (const cookie of ['fedsvd-session=guess', `fedsvd-session=${ended}`, `other=${tokens.admin}`]) {
      expect(await call(url, address, { cookie }, body)).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    }
    expect(await auditLength()).toBe(before)
  })

  it('refuses every role but those of the table', async () => {
    for (const role of ROLES.filter((candidate) => !rolesOf(route).includes(candidate))) {
      const { route: address, body } = await REQUESTS[route]!(tokens.operator)
      const before = await auditLength()
      const refusal = { status: 403, code: 'FORBIDDEN' }
      expect(await call(url, address, { bearer: tokens[role] }, body)).toMatchObject(refusal)
      expect(await call(url, address, cookies[role], body)).toMatchObject(refusal)
      expect(await auditLength()).toBe(before)
    }
  })

  it.skipIf(route.startsWith('GET '))('refuses a cookie without its CSRF token', async () => {
    for (const role of rolesOf(route)) {
      const { cookie } = cookies[role]
      for (const csrfToken of [undefined, 'guess', cookies[role === 'admin' ? 'auditor' : 'admin'].csrfToken]) {
        expect(await send(route, { cookie, csrfToken })).toMatchObject({ status: 403, code: 'CSRF_INVALID' })
      }
    }
  })

  // Tokens belong to no operator: whoever makes some may withdraw any.
  it.runIf(route.includes('/:') && !route.includes(':tokenId'))(
    'refuses a foreign object in the words for one that does not exist',
    async () => {
      const { route: address } = await REQUESTS[route]!(tokens.operator)
      const object = /[0-9a-f-]{36}/.exec(address)![0]
      const missing = randomUUID()
      const unknown = await call(url, address.replace(object, missing), { bearer: tokens.admin })
      expect(unknown).toMatchObject({ status: 404, code: expect.stringMatching(/_NOT_FOUND$/) })
      expect(await call(url, address.replace(object, 'no-identifier'), { bearer: tokens.admin })).toMatchObject({
        status: 400,
        code: 'MESSAGE_INVALID',
      })
      if (route === 'GET /v1/clients/:clientId') return // its runs are filtered: apps/server/tests/facts.test.ts
      if (!route.includes(':runId')) return expect(rolesOf(route)).toEqual(['admin']) // whose are all of them
      const foreign = await call(url, address, { bearer: tokens.otto })
      expect(foreign.status).toBe(404)
      expect(JSON.stringify(foreign.body).replaceAll(object, missing)).toBe(JSON.stringify(unknown.body))
    },
  )

  it('serves the roles of the table, and what changes something is in the audit log once', async () => {
    const changes = !route.startsWith('GET ') && route !== 'POST /v1/runs/price' // a question, too long for an address
    for (const role of rolesOf(route)) {
      const bearer = route === 'DELETE /v1/session' ? await signIn(url, role) : tokens[role]
      const { route: address, body } = await REQUESTS[route]!(tokens.operator)
      const before = await auditLength()
      const answer = await call(url, address, { bearer }, body)
      expect(answer).not.toHaveProperty('code')
      expect(answer.status).toBeLessThan(300)
      const entries = await coordinator.store.audit.page(before, 10)
      const { operator } = (await call(url, 'GET /v1/session', { bearer: tokens[role] })).body as {
        operator: { id: string }
      }
      expect(entries.map(({ actor }) => actor)).toEqual(changes ? [`operator:${operator.id}`] : [])
      if (changes) expect(JSON.stringify(entries)).not.toContain(SECRET)
    }
  })
})

describe('the routes of clients', () => {
  it('serve no operator, no stranger, and no client an object of another run', async () => {
    const [blob, update] = CLIENTS as [string, string]
    const everyOperator = [undefined, 'guess', coordinator.operatorToken, ...Object.values(tokens)]
    for (const bearer of [...everyOperator, stranger.sessionToken]) {
      expect(await send(update, { bearer })).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    }
    for (const bearer of [...everyOperator, client.invitations[0]!.uploadToken]) {
      expect(await send(blob, { bearer })).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    }
    expect(await send(blob, cookies.admin)).toMatchObject({ status: 401 })
    expect(await send(update, cookies.admin)).toMatchObject({ status: 401 })
    expect(await send(blob, { bearer: stranger.sessionToken })).toMatchObject({ status: 404, code: 'BLOB_NOT_FOUND' })
    expect(await send(blob, { bearer: client.sessionToken })).toMatchObject({ status: 200 })
    const { uploadToken: bearer } = client.invitations[0]!
    for (const place of [`${runId}/rounds/1`, `${await newRun(tokens.operator)}/rounds/0`]) {
      const elsewhere = await call(url, `PUT /v1/runs/${place}/update`, { bearer })
      expect(elsewhere).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    }
  })
})

describe('an address that looks like another', () => {
  it.each([
    'GET /V1/runs',
    'GET /v1/runs/',
    'GET /v1//runs',
    'GET /v1/%72uns',
    'GET /v1/runs/RUN/',
    'GET /v1/runs/RUN/adapter/',
    'POST /V1/Operators',
    'PATCH /v1/runs/RUN',
    'OPTIONS /v1/runs',
  ])('%s is not served, not even to an admin', async (route) => {
    const { status } = await call(url, route.replace('RUN', runId), { bearer: coordinator.operatorToken })
    expect(status).toBe(404)
  })

  it('HEAD is as guarded as GET', async () => {
    expect((await call(url, 'HEAD /v1/runs')).status).toBe(401)
    expect((await call(url, `HEAD /v1/runs/${runId}`, { bearer: tokens.otto })).status).toBe(404)
    expect((await call(url, 'HEAD /v1/operators', { bearer: tokens.operator })).status).toBe(403)
  })
})

describe('a list', () => {
  it('shows operators their own runs, and admins and auditors all of them', async () => {
    const own = await newRun(tokens.otto)
    const listed = async (bearer: string) =>
      ((await call(url, 'GET /v1/runs', { bearer })).body as { runs: RunSnapshot[] }).runs.map((run) => run.runId)
    expect(await listed(tokens.otto)).toEqual([own])
    expect(await listed(tokens.operator)).not.toContain(own)
    for (const bearer of [tokens.admin, tokens.auditor, coordinator.operatorToken]) {
      expect(await listed(bearer)).toEqual(expect.arrayContaining([own, runId]))
    }
  })
})

type AnySocket = Socket<Record<string, (message: RunSnapshot) => void>, Record<string, (...args: unknown[]) => void>>

/** Connects, or rejects with the code of the refusal. */
async function connected(namespace: string, auth: object = {}, cookie?: string): Promise<AnySocket> {
  const extraHeaders: Record<string, string> = cookie === undefined ? {} : { cookie }
  const options = { auth, extraHeaders, forceNew: true, reconnection: false, transports: ['websocket'] }
  const socket: AnySocket = io(`${url}${namespace}`, options)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', (error: Error & { data?: { code: string } }) =>
      reject(new Error(error.data?.code ?? error.message)),
    )
  })
  return socket
}

describe('the namespaces', () => {
  it('admit no connection without the right proof', async () => {
    const handshake = await client.handshake()
    const attempts: [string, string, object?, string?][] = [
      ['/', 'FORBIDDEN'],
      ['/', 'FORBIDDEN', { token: coordinator.operatorToken }],
      ['/admin', 'Invalid namespace', { token: coordinator.operatorToken }],
      ['/client', 'MESSAGE_INVALID'],
      ['/client', 'MESSAGE_INVALID', { token: coordinator.operatorToken }],
      ['/client', 'MESSAGE_INVALID', { token: client.sessionToken }],
      ['/client', 'TOKEN_INVALID', { ...handshake, clientId: stranger.clientId }],
      ['/operator', 'TOKEN_INVALID'],
      ['/operator', 'TOKEN_INVALID', { token: 'guess' }],
      ['/operator', 'TOKEN_INVALID', { token: ended }],
      ['/operator', 'TOKEN_INVALID', { token: client.sessionToken }],
      ['/operator', 'TOKEN_INVALID', await client.handshake()],
      ['/operator', 'MESSAGE_INVALID', { token: tokens.admin, newest: 5 }],
      ['/operator', 'CSRF_INVALID', {}, cookies.admin.cookie],
      ['/operator', 'CSRF_INVALID', { csrfToken: cookies.auditor.csrfToken }, cookies.admin.cookie],
    ]
    for (const [namespace, code, auth, cookie] of attempts) {
      await expect(connected(namespace, auth, cookie), `${namespace} ${code}`).rejects.toThrow(code)
    }
    const { cookie, csrfToken } = cookies.admin
    ;(await connected('/operator', { csrfToken }, cookie)).disconnect()
  })

  it('take no event that the table does not name', async () => {
    const operator = await connected('/operator', { token: tokens.admin })
    const sockets = [operator, client.socket as unknown as AnySocket]
    for (const socket of sockets) {
      for (const event of ['run', 'stop', 'offer', 'toString']) {
        const reply = await socket.timeout(5000).emitWithAck(event, { runId })
        expect(reply).toMatchObject({ error: { code: 'FORBIDDEN' } })
      }
    }
    const report = await operator.timeout(5000).emitWithAck('ledger-report', { runId, reservations: [] })
    expect(report).toMatchObject({ error: { code: 'FORBIDDEN' } })
    operator.disconnect()
  })

  it('take no ledger report about a foreign run', async () => {
    const report = { runId, reservations: [] }
    expect(await stranger.report(report)).toMatchObject({ agrees: false, error: { code: 'FORBIDDEN' } })
    const missing = { runId: randomUUID(), reservations: [] }
    expect(await client.report(missing)).toMatchObject({ agrees: false, error: { code: 'RUN_NOT_FOUND' } })
    expect(await client.report(report)).toMatchObject({ agrees: true })
  })

  it('show operators their own runs only', async () => {
    const seen: Record<string, Set<string>> = {}
    const sockets = await Promise.all(
      (['admin', 'auditor', 'operator', 'otto'] as const).map(async (name) => {
        const socket = await connected('/operator', { token: tokens[name] })
        seen[name] = new Set()
        socket.on('run', (snapshot) => seen[name]!.add(snapshot.runId))
        return socket
      }),
    )
    const [own, foreign] = [await newRun(tokens.otto), await newRun(tokens.operator)]
    for (const id of [foreign, own]) await post(url, `/v1/runs/${id}/stop`, {}, coordinator.operatorToken)
    const ids = [own, foreign]
    await until('the admin and the auditor to see both', () =>
      ids.every((id) => seen.admin!.has(id) && seen.auditor!.has(id)),
    )
    await until('both operators to see theirs', () => seen.otto!.has(own) && seen.operator!.has(foreign))
    expect(seen.otto!.has(foreign)).toBe(false)
    expect(seen.otto!.has(runId)).toBe(false)
    expect(seen.operator!.has(own)).toBe(false)
    for (const socket of sockets) socket.disconnect()
  })
})
