import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createEnrolmentTokens,
  createRun,
  fetchAuditLog,
  fetchRun,
  type OperatorAccess,
  watchRuns,
} from '../../apps/cli/src/operator-client.ts'
import { startClient } from '../../apps/client/src/index.ts'
import { networkTransport } from '../../apps/client/src/transport/network.ts'
import { readTls } from '../../apps/client/src/transport/tls.ts'
import { FedsvdError } from '../../packages/core/src/errors.ts'
import type { RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import { fetchThrough, type TlsTrust } from '../../packages/engine/src/network/index.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleSite } from '../../packages/testing/src/client/site.ts'
import {
  type Certificates,
  makeCertificates,
  opensslAnswers,
  SECRET,
  type TestCoordinator,
  temporaryFolder,
  testCoordinator,
  tinyRequest,
  until,
} from '../../packages/testing/src/server/index.ts'

const code = async (promise: Promise<unknown>): Promise<string> =>
  await promise.then(
    () => 'served',
    (error: unknown) => (error instanceof FedsvdError ? error.code : String(error)),
  )

describe.skipIf(!(await opensslAnswers()))('a coordinator with a certificate', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let files: Certificates
  let other: Certificates
  const stack: AsyncDisposable[] = []
  beforeAll(async () => {
    folder = await temporaryFolder()
    files = await makeCertificates(folder.path)
    const elsewhere = await temporaryFolder()
    stack.push(folder, elsewhere)
    other = await makeCertificates(elsewhere.path)
  })
  afterAll(async () => {
    for (const resource of stack.reverse()) await resource[Symbol.asyncDispose]()
  })
  const serve = (settings: object = {}): Promise<TestCoordinator> =>
    testCoordinator({ tlsCert: files.server.cert, tlsKey: files.server.key, ...settings })
  const accessTo = ({ url, operatorToken }: TestCoordinator, trust: TlsTrust): OperatorAccess => ({
    url,
    token: operatorToken,
    trust,
  })

  it.each(['server', 'mutual'] as const)('carries a whole run, %s TLS', async (kind) => {
    const isMutual = kind === 'mutual'
    await using coordinator = await serve(isMutual ? { tlsClientCa: files.ca } : {})
    expect(coordinator.url).toMatch(/^https:/)
    const trust = readTls({ ca: files.ca, ...(isMutual && files.client) })
    const access = accessTo(coordinator, trust)
    const seen: RunSnapshot[] = []
    using watch = watchRuns(access, (snapshot) => seen.push(snapshot))
    await watch.connected
    const runId = await createRun(access, tinyRequest({ clientsPerRound: 1, quorum: 1, rounds: 2 }))
    const [enrolmentToken] = await createEnrolmentTokens(access, 1)
    await using site = await temporaryFolder()
    const transport = networkTransport(coordinator.url, trust)
    await using running = await startSite({
      folder: site.path,
      transport,
      enrolmentToken,
      budget: { epsilon: 8, delta: 1e-5 },
    })
    await running.told('round-delivered', 2)
    await until('the end', async () => (await fetchRun(access, runId)).state === 'completed')
    await until('its snapshot', () => seen.some(({ state }) => state === 'completed'))
    expect((await fetchAuditLog(access, 0, 10)).map(({ action }) => action)).toEqual([
      'run.create',
      'enrolment-token.create',
      'client.enrol',
    ])
  })

  it('is accepted only by clients that trust its authority, and one that does not reports it instead of waiting', async () => {
    await using coordinator = await serve()
    for (const trust of [{}, readTls({ ca: other.ca })]) {
      expect(await code(fetchRun(accessTo(coordinator, trust), 'any'))).toBe('CERTIFICATE_INVALID')
      await using site = await temporaryFolder()
      const config = sampleSite(site.path, coordinator.url)
      const transport = networkTransport(coordinator.url, trust)
      expect(await code(startClient(config, { transport }))).toBe('CERTIFICATE_INVALID')
    }
    expect(await code(fetchRun(accessTo(coordinator, readTls({ ca: files.ca })), 'any'))).toBe('MESSAGE_INVALID')
    const plain = { ...accessTo(coordinator, {}), url: coordinator.url.replace('https', 'http') }
    expect(await code(fetchRun(plain, 'any'))).toBe('COORDINATOR_UNREACHABLE')
  })

  it('of mutual TLS answers no connection without a certificate of its authority', async () => {
    await using coordinator = await serve({ tlsClientCa: files.ca })
    const { ca } = files
    // Node ends such a connection without a word, so the caller cannot tell it from a coordinator that is away.
    for (const trust of [readTls({ ca }), readTls({ ca, ...other.client })]) {
      expect(await code(fetchRun(accessTo(coordinator, trust), 'any'))).toBe('COORDINATOR_UNREACHABLE')
    }
    expect(await code(fetchRun(accessTo(coordinator, readTls({ ca, ...files.client })), 'any'))).toBe('MESSAGE_INVALID')
  })

  it('gives Secure cookies that browsers take from this host only', async () => {
    await using coordinator = await serve()
    const send = fetchThrough(readTls({ ca: files.ca }))
    const post = (route: string, body: object, headers: object = {}) =>
      send(`${coordinator.url}${route}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      })
    const operator = { name: 'ada', role: 'admin', secret: SECRET }
    await post('/v1/operators', operator, { authorization: `Bearer ${coordinator.operatorToken}` })
    const [cookie] = (await post('/v1/session', { name: 'ada', secret: SECRET })).headers.getSetCookie()
    expect(cookie).toMatch(/^__Host-fedsvd-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
  })

  it('does not start with files that cannot be read or do not fit', async () => {
    const noPem = path.join(folder.path, 'no.pem')
    await writeFile(noPem, 'hello')
    const { cert, key } = files.server
    const faults = [
      { tlsKey: undefined },
      { tlsCert: undefined },
      { tlsCert: undefined, tlsKey: undefined, tlsClientCa: files.ca },
      { tlsCert: path.join(folder.path, 'missing.pem') },
      { tlsCert: noPem },
      { tlsKey: cert },
      { tlsCert: cert, tlsKey: files.client.key },
      { tlsKey: key, tlsClientCa: noPem },
    ]
    for (const settings of faults) expect(await code(serve(settings))).toBe('CONFIG_INVALID')
    await expect(serve({ tlsCert: noPem })).rejects.toThrow(
      /expected FEDSVD_TLS_CERT to name .* Correct FEDSVD_TLS_CERT\.$/,
    )
    await expect(serve({ tlsKey: undefined })).rejects.toThrow(/Give FEDSVD_TLS_KEY too/)
    expect(() => readTls({ cert: files.client.cert })).toThrow(/CONFIG_INVALID: expected --cert and --key together/)
    expect(() => readTls({ ca: noPem })).toThrow(/CONFIG_INVALID: expected --ca to name .*not PEM .*Correct --ca\./)
    expect(() => readTls({ ca: path.join(folder.path, 'missing.pem') })).toThrow(/CONFIG_INVALID/)
  })
})
