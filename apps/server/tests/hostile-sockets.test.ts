import { once } from 'node:events'
import { Manager } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RandomBits, seededSource, uniformBelow } from '../../../packages/core/src/random/index.ts'
import {
  call,
  type FakeClient,
  type TestCoordinator,
  testCoordinator,
  until,
} from '../../../packages/testing/src/server/index.ts'

/** What a connection can be made to send below the level of events. */
interface Wire {
  /** One message of the engine: what Socket.IO reads a packet from. */
  write(data: string | Uint8Array): void
  readonly transport: { readonly ws: { send(data: string | Uint8Array): void } }
}

describe('what comes in over a socket', () => {
  let coordinator: TestCoordinator
  let runId: string
  let bystanders: FakeClient[]
  let intruder: FakeClient
  beforeAll(async () => {
    coordinator = await testCoordinator()
    ;({ runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 1, deadlineSeconds: 3600 }))
    const silent = { train: async () => {} }
    bystanders = [await coordinator.client('a', silent), await coordinator.client('b', silent)]
    await Promise.all(bystanders.map((client) => client.connect()))
    await until('both invitations', () => bystanders.every(({ invitations }) => invitations.length === 1))
    intruder = await coordinator.client('intruder', silent)
  })
  afterAll(() => coordinator[Symbol.asyncDispose]())

  const areWell = async (): Promise<void> => {
    expect((await call(coordinator.url, 'GET /healthz')).status).toBe(200)
    const report = { runId, since: 0, reservations: [] }
    for (const { socket } of bystanders) {
      expect(socket!.connected).toBe(true)
      expect(await socket!.timeout(20_000).emitWithAck('ledger-report', report)).toHaveProperty('agrees')
    }
  }
  const wireOf = ({ socket }: FakeClient): Wire => socket!.io.engine as unknown as Wire
  const cut = async (send: (wire: Wire) => void): Promise<void> => {
    await intruder.connect()
    const ended = new Promise((resolve) => intruder.socket!.once('disconnect', resolve))
    send(wireOf(intruder))
    await ended
    await areWell()
  }

  const TOO_MUCH = 'x'.repeat(5 * 2 ** 20)
  const REPORT = '/client,'
  it.each<[string, (wire: Wire) => void]>([
    ['an event of 5 MB', (wire) => wire.write(`2${REPORT}0["ledger-report","${TOO_MUCH}"]`)],
    ['5 MB of binary', (wire) => wire.write(new Uint8Array(5 * 2 ** 20))],
    ['a packet of an unknown type', (wire) => wire.write('9nothing')],
    ['a packet without a type', (wire) => wire.write('')],
    ['an event that is no JSON', (wire) => wire.write(`2${REPORT}["ledger-report",{]`)],
    ['an event that is no array', (wire) => wire.write(`2${REPORT}{"a":1}`)],
    ['an event without a name', (wire) => wire.write(`2${REPORT}[]`)],
    ['an event whose name is an object', (wire) => wire.write(`2${REPORT}[{"toString":1}]`)],
    ['an event of a reserved name', (wire) => wire.write(`2${REPORT}["disconnect"]`)],
    ['an event of another namespace', (wire) => wire.write('2/operator,["run",{}]')],
    ['11 announced attachments', (wire) => wire.write(`511-${REPORT}["ledger-report"]`)],
    ['a billion announced attachments', (wire) => wire.write(`51000000000-${REPORT}["ledger-report"]`)],
    ['attachments that are no number', (wire) => wire.write(`5NaN-${REPORT}["ledger-report"]`)],
    ['an attachment that was not announced', (wire) => wire.write(Uint8Array.of(1, 2, 3, 4, 5))],
    [
      'text where attachments were announced',
      (wire) => {
        wire.write(`52-${REPORT}["ledger-report",{"_placeholder":true,"num":0}]`)
        wire.write(`2${REPORT}["ledger-report",{}]`)
      },
    ],
    [
      'a placeholder for an attachment that does not exist',
      (wire) => {
        wire.write(`51-${REPORT}["ledger-report",{"_placeholder":true,"num":99}]`)
        wire.write(Uint8Array.of(1))
      },
    ],
    ['an engine packet of an unknown type', (wire) => wire.transport.ws.send('9')],
    ['an engine frame that is no text', (wire) => wire.transport.ws.send('\0\0\0\0\0')],
  ])('cuts the connection that sends %s, and no other', async (_, send) => {
    await cut(send)
  })

  it.each<[string, (wire: Wire) => void]>([
    ['an unknown event', (wire) => wire.write(`2${REPORT}["no-such-event",1]`)],
    ['an event named like a property', (wire) => wire.write(`2${REPORT}["__proto__",1]`)],
    ['an acknowledgement of nothing', (wire) => wire.write(`3${REPORT}99999[{}]`)],
    ['a report without a callback', (wire) => wire.write(`2${REPORT}["ledger-report",null]`)],
    [
      'a report that is binary',
      (wire) => {
        wire.write(`51-${REPORT}["ledger-report",{"_placeholder":true,"num":0}]`)
        wire.write(new Uint8Array(1000))
      },
    ],
    [
      'a report that stumbles the validator',
      (wire) => {
        wire.write(`2${REPORT}7["ledger-report",{"runId":{"length":{"toString":1,"valueOf":2}}}]`)
      },
    ],
  ])('lets %s pass without effect', async (_, send) => {
    await intruder.connect()
    send(wireOf(intruder))
    const reply = await intruder.report({ runId, since: 0, reservations: [] })
    expect(reply).toHaveProperty('agrees') // the connection still works
    await areWell()
  })

  it('answers an unknown event, and a bad report, from the catalogue', async () => {
    await intruder.connect()
    const emit = (event: string, message: unknown): Promise<{ error?: { code: string } }> =>
      intruder.socket!.timeout(20_000).emitWithAck(event as 'ledger-report', message as never) as never
    expect((await emit('no-such-event', {})).error?.code).toBe('FORBIDDEN')
    const bad = Array.from({ length: 20_000 }, () => ({}))
    expect((await emit('ledger-report', { runId, reservations: bad })).error?.code).toBe('MESSAGE_INVALID')
    expect((await emit('ledger-report', { runId: { length: { toString: 1 } } })).error?.code).toBe('MESSAGE_INVALID')
    for (const since of [2 ** 40, 999_999]) {
      expect((await emit('ledger-report', { runId, since, reservations: [] })).error?.code).toBe('MESSAGE_INVALID')
    }
    await areWell()
  })

  it('survives any message of five bytes, from strangers too', async () => {
    const bits = new RandomBits(seededSource('five bytes'))
    const alphabet = '0123456789-,/["]{}:abn\0\u00ff\u2028'
    const letter = (): string => alphabet[uniformBelow(bits, alphabet.length)]!
    for (let attempt = 0; attempt < 60; attempt += 1) {
      const manager = new Manager(coordinator.url, { transports: ['websocket'], reconnection: false })
      manager.open()
      await once(manager as never, 'open')
      const engine = manager.engine as unknown as Wire
      for (let message = 0; message < 10; message += 1) {
        const text = Array.from({ length: 5 }, letter).join('')
        if (message % 2 === 0) engine.write(text)
        else if (message % 3 === 0) engine.write(Buffer.from(text))
        else engine.transport.ws.send(text)
      }
      manager._close()
    }
    await areWell()
  })

  it('does not keep the others from finishing their round', async () => {
    for (const client of bystanders) expect((await client.upload(client.invitations[0]!)).status).toBe('accepted')
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  })
})
