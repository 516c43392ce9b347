import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEntry, ClientView, RunManifest } from '../../../packages/core/src/protocol/index.ts'
import { type TestCoordinator, testCoordinator } from '../../../packages/testing/src/server/coordinator.ts'
import { FakeClient, get, post } from '../../../packages/testing/src/server/fake-client.ts'

/** Two clients of one name are told apart or refused; a site that lost its state folder cannot come back unnoticed. */
describe('the name of a client', () => {
  let coordinator: TestCoordinator
  beforeEach(async () => {
    coordinator = await testCoordinator()
  })
  afterEach(() => coordinator[Symbol.asyncDispose]())
  const alerts = async ({ runId }: RunManifest) => (await coordinator.snapshot(runId)).alerts
  const revoke = (clientId: string) =>
    post(coordinator.url, `/v1/clients/${clientId}/revoke`, undefined, coordinator.operatorToken)

  it.each(['north', 'NORTH', ' north', 'n\u043erth', 'north.'])(
    'is refused when another one is read as the same: %j; the token stays good',
    async (name) => {
      await coordinator.client('North')
      const token = await coordinator.enrolment()
      await expect(FakeClient.enrol(coordinator.url, token, name)).rejects.toMatchObject({ code: 'NAME_TAKEN' })
      await FakeClient.enrol(coordinator.url, token, 'north 2')
      const { clients } = await get<{ clients: ClientView[] }>(
        coordinator.url,
        '/v1/clients',
        coordinator.operatorToken,
      )
      expect(clients.map((client) => client.name).sort()).toEqual(['North', 'north 2'])
    },
  )

  it('is the one that the operator made the token for, or one that is read as the same', async () => {
    const ask = (body: object) =>
      post<{ tokens: [string] }>(
        coordinator.url,
        '/v1/enrolment-tokens',
        { count: 1, expiresInSeconds: 60, ...body },
        coordinator.operatorToken,
      )
    await expect(ask({ count: 2, name: 'north' })).rejects.toMatchObject({ code: 'MESSAGE_INVALID' })
    await expect(ask({ name: 'no\u200brth' })).rejects.toMatchObject({ code: 'MESSAGE_INVALID' })
    const [token] = (await ask({ name: 'North' })).tokens
    await expect(FakeClient.enrol(coordinator.url, token, 'south')).rejects.toThrow(
      /TOKEN_INVALID: .* got south, and a token that was made for another name/,
    )
    await FakeClient.enrol(coordinator.url, token, 'north')
    const log = await get<{ entries: AuditEntry[] }>(coordinator.url, '/v1/audit-log', coordinator.operatorToken)
    expect(log.entries.find(({ action }) => action === 'enrolment-token.create')?.detail).toMatchObject({
      name: 'North',
    })
  })

  it('goes to one of two that ask at the same time', async () => {
    const tokens = [await coordinator.enrolment(), await coordinator.enrolment()]
    const both = tokens.map((token) => FakeClient.enrol(coordinator.url, token, 'north'))
    const results = await Promise.allSettled(both)
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('with the same key is the same client, however often it asks, whichever token it has', async () => {
    const [token, another] = [await coordinator.enrolment(), await coordinator.enrolment()]
    const publicKey = Buffer.alloc(32, 9).toString('base64url')
    const enrol = (used: string, name: string) =>
      post<{ clientId: string }>(coordinator.url, '/v1/enrol', { protocolVersion: 1, token: used, name, publicKey })
    const first = await enrol(token, 'north')
    expect(await enrol(token, 'north')).toEqual(first) // its answer was lost
    expect(await enrol(another, 'North')).toEqual(first)
    const entries = await get<{ entries: AuditEntry[] }>(coordinator.url, '/v1/audit-log', coordinator.operatorToken)
    expect(entries.entries.filter(({ action }) => action === 'client.enrol')).toHaveLength(1)
  })

  it('of a site whose state folder is lost raises an alert, when it is refused and when it takes part', async () => {
    const run = await coordinator.createRun({ clientsPerRound: 2, quorum: 2 })
    const lost = await coordinator.client('north')
    await lost.connect()
    await coordinator.seen(run.runId, 'the client in the run', ({ clients }) => clients.length === 1)
    lost.disconnect()
    const token = await coordinator.enrolment()
    await expect(FakeClient.enrol(coordinator.url, token, 'north')).rejects.toMatchObject({ code: 'NAME_TAKEN' })
    expect(await alerts(run)).toContainEqual(expect.objectContaining({ code: 'NAME_TAKEN', clientId: lost.clientId }))

    await revoke(lost.clientId)
    const again = await FakeClient.enrol(coordinator.url, token, 'north')
    await again.connect()
    await coordinator.seen(run.runId, 'the alert', ({ alerts }) =>
      alerts.some(
        ({ code, clientId, message }) =>
          code === 'NAME_REUSED' && clientId === again.clientId && message.includes(lost.clientId),
      ),
    )
    again.disconnect()
  })

  it('of an operator is not read as that of another one', async () => {
    const create = (name: string) =>
      post(
        coordinator.url,
        '/v1/operators',
        { name, role: 'auditor', secret: 'a long secret' },
        coordinator.operatorToken,
      )
    await create('anna')
    await expect(create('Ann\u0430')).rejects.toMatchObject({ code: 'OPERATOR_EXISTS' })
    await create('berta')
  })
})
