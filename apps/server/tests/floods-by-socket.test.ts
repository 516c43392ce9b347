import { once } from 'node:events'
import { Manager } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FakeClient, type TestCoordinator, testCoordinator } from '../../../packages/testing/src/server/index.ts'

/*
 * The attack: a message is parsed before anything in it can be refused, and parsing 4 MB takes a tenth of a second in
 * which no other client is served. A stranger that sends the longest messages as its handshakes, one after the other,
 * and an enrolled client that sends unknown events, kept a coordinator busy at the rate of their line.
 */

interface Wire {
  write(data: string): void
}

describe('a connection that sends more than the protocol needs', () => {
  let coordinator: TestCoordinator
  let intruder: FakeClient
  let bystander: FakeClient
  beforeAll(async () => {
    coordinator = await testCoordinator()
    intruder = await coordinator.client('intruder', { train: async () => {} })
    bystander = await coordinator.client('bystander', { train: async () => {} })
    await bystander.connect()
  })
  afterAll(() => coordinator[Symbol.asyncDispose]())

  /** What a stranger is told on the namespace of clients for a handshake of so many characters. */
  async function answerToStranger(length: number): Promise<string> {
    const manager = new Manager(coordinator.url, { transports: ['websocket'], reconnection: false })
    manager.open()
    await once(manager as never, 'open')
    const { engine } = manager
    const answered = new Promise<string>((resolve) => {
      engine.on('data', (data: unknown) => String(data).startsWith('4') && resolve(String(data)))
      engine.on('close', (reason: string) => resolve(reason))
    })
    ;(engine as unknown as Wire).write(`0/client,{"protocolVersion":"${'x'.repeat(length)}"}`)
    const answer = await answered
    manager._close()
    return answer
  }

  it('is refused from the catalogue as a stranger, and cut off before it is read where it is no handshake', async () => {
    expect(await answerToStranger(1000)).toContain('MESSAGE_INVALID')
    expect(await answerToStranger(70_000)).toBe('transport close')
  })

  it('is cut off as a client, and again as long as the minute lasts, and no other is', async () => {
    const long = `2/client,["no-such-event","${'x'.repeat(4 * 2 ** 20 - 100)}"]`
    await intruder.connect()
    for (let message = 0; message < 17; message += 1) (intruder.socket!.io.engine as unknown as Wire).write(long)
    await once(intruder.socket as never, 'disconnect')
    await intruder.connect()
    ;(intruder.socket!.io.engine as unknown as Wire).write('2/client,["no-such-event"]')
    await once(intruder.socket as never, 'disconnect')
    expect(bystander.socket!.connected).toBe(true)
  })
})
