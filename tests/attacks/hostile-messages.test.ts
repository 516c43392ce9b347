import { Manager } from 'socket.io-client'
import { describe, expect, it } from 'vitest'
import { get, post, testCoordinator, until } from '../../packages/testing/src/server/index.ts'

/* One enrolled client sends what is no message of the protocol, or enters in a way that no honest client does. */

const AWAY = async (): Promise<void> => {}
type Listed = { clients: { clientId: string; connected: boolean }[] }

describe('a message that is no object', () => {
  it('is refused like any other, and the coordinator goes on', async () => {
    await using coordinator = await testCoordinator()
    const client = await coordinator.client('hostile', { train: AWAY })
    await client.connect()
    for (const message of [null, undefined, 0, '', [], true, Buffer.from('x'), { reservations: { length: 1e9 } }]) {
      expect(await client.report(message as never)).toMatchObject({ error: { code: 'MESSAGE_INVALID' } })
      client.socket!.emit('round-failed', message as never)
    }
    const prototypes = JSON.parse(
      '{"__proto__":{"reservations":[]},"constructor":{"prototype":{}},"runId":"x"}',
    ) as never
    expect(await client.report(prototypes)).toMatchObject({ error: { code: 'MESSAGE_INVALID' } })
    const other = await coordinator.client('other', { train: AWAY })
    await other.connect()
  })
})

describe('one transport that enters the namespace twice', () => {
  it('leaves no connection behind that is not there, and a revoked client does not count as connected', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken } = coordinator
    const client = await coordinator.client('hostile', { train: AWAY })
    const handshakes = await Promise.all([client.handshake(), client.handshake()])
    const manager = new Manager(url, { transports: ['websocket'], reconnection: false, autoConnect: false })
    const closed = new Promise<void>((resolve) => manager.once('close', () => resolve()))
    await new Promise<void>((resolve, reject) => manager.connect((error) => (error ? reject(error) : resolve())))
    for (const handshake of handshakes) manager.engine.write(`0/client,${JSON.stringify(handshake)}`)
    await closed
    const isConnected = async () => {
      const { clients } = await get<Listed>(url, '/v1/clients', operatorToken)
      return clients.find(({ clientId }) => clientId === client.clientId)!.connected
    }
    await until('that it is away', async () => !(await isConnected()))
    await client.connect() // it may come back as it should
    await until('that it is there', isConnected)
  })
})

describe('an identifier in capitals', () => {
  it('means the same client and the same run, wherever it is looked up', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken } = coordinator
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1 })
    const client = await coordinator.client('one', { train: AWAY })
    await client.connect()
    await until('the invitation', () => client.invitations.length === 1)
    expect(await client.report({ runId: runId.toUpperCase(), reservations: [] })).toEqual({ agrees: true })
    await post(url, `/v1/runs/${runId.toUpperCase()}/pause`, {}, operatorToken)
    await until('the word of it', () => client.paused.includes(runId))
    const gone = new Promise<string>((resolve) => client.socket!.once('disconnect', resolve))
    await post(url, `/v1/clients/${client.clientId.toUpperCase()}/revoke`, {}, operatorToken)
    expect(await gone).toBe('io server disconnect')
  })
})
