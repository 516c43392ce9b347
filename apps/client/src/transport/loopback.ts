import { EventEmitter } from 'node:events'
import { isFedsvdError } from '@fedsvd/core/errors'
import {
  type ClientHandshake,
  type EnrolReply,
  type EnrolRequest,
  ledgerReplySchema,
  PROTOCOL_VERSION,
  parseMessage,
  sessionSchema,
  type UploadReply,
} from '@fedsvd/core/protocol'
import { AwaitableValue } from '../platform/index.ts'
import { answerWith, dropNonsense, type HeardSocket } from './answers.ts'
import type { Caller, CoordinatorLink, LinkHandlers, Transport } from './transport.ts'

/** What the coordinator of a loopback is called: no address of a network, so no other transport can have it. */
export const LOOPBACK = 'loopback:'

/** A connection within one process. */
export interface LoopbackConnection {
  send(event: string, message: unknown): void
  ask(event: string, message: unknown): Promise<unknown>
  close(): void
}

/** A coordinator in the same process, as a client asks it. */
export interface LoopbackPort {
  enrol(request: EnrolRequest): Promise<EnrolReply>
  challenge(clientId: string): Promise<{ readonly nonce: string; readonly ledgerLength?: number }>
  connect(
    handshake: ClientHandshake,
    listener: {
      onMessage(event: string, message: unknown, reply?: (answer: unknown) => void): void
      onEnd(reason: string): void
    },
  ): Promise<LoopbackConnection>
  state(sha256: string, sessionToken: string): Promise<Uint8Array>
  upload(place: { runId: string; round: number }, uploadToken: string, frame: Uint8Array): Promise<UploadReply>
}

/**
 * The way to a coordinator in the same process: the messages of the protocol without sockets and HTTP, handed to the
 * handlers that take them from a network. It keeps no answer back, and it does not come back once it was closed.
 */
export function loopbackTransport(port: LoopbackPort): Transport {
  return {
    coordinator: LOOPBACK,
    enrol: async (request) => await port.enrol(request),
    open: (caller, handlers) => openLoopback(port, caller, handlers),
  }
}

function openLoopback(port: LoopbackPort, caller: Caller, handlers: LinkHandlers): CoordinatorLink {
  const online = new AwaitableValue<LoopbackConnection>()
  const session = new AwaitableValue<string>()
  const closed = new AbortController()
  let connected: LoopbackConnection | undefined
  const heard = Object.assign(new EventEmitter(), { id: caller.clientId })
  heard.on('session', (message: unknown) => {
    dropNonsense(handlers, () => session.set(parseMessage(sessionSchema, message, 'a session').sessionToken))
  })
  answerWith(heard as unknown as HeardSocket, handlers)
  const connect = async (): Promise<void> => {
    const { clientId, instance } = caller
    const { nonce, ledgerLength } = await port.challenge(clientId)
    const signature = await caller.signChallenge(clientId, nonce)
    const ledger = await caller.ledgerHead(ledgerLength)
    connected = await port.connect(
      { protocolVersion: PROTOCOL_VERSION, clientId, nonce, signature, instance, ...(ledger && { ledger }) },
      {
        onMessage: (event, message, reply) => void heard.emit(event, message, reply),
        onEnd: (reason) => {
          online.clear()
          session.clear()
          handlers.onDisconnected(reason)
        },
      },
    )
    if (closed.signal.aborted) return connected.close()
    online.set(connected)
    handlers.onConnected('websocket')
  }
  connect().catch((error: unknown) => handlers.onRefused(error as Error))
  return {
    report: async (report, signal = closed.signal) => {
      const connection = await online.value(signal)
      const reply = await unlessAborted(connection.ask('ledger-report', report), signal)
      return parseMessage(ledgerReplySchema, reply, 'an answer to a ledger report')
    },
    roundFailed: async (message) => {
      ;(await online.value(closed.signal)).send('round-failed', message)
    },
    fetchState: async (sha256, _bytes, signal) => {
      for (;;) {
        const token = await session.value(signal)
        try {
          return await port.state(sha256, token)
        } catch (error) {
          if (!isFedsvdError(error, 'TOKEN_INVALID')) throw error
          session.clear(token)
        }
      }
    },
    upload: async ({ runId, round, uploadToken, frame }) => await port.upload({ runId, round }, uploadToken, frame),
    async [Symbol.asyncDispose]() {
      closed.abort(new Error('the client was stopped'))
      connected?.close()
    },
  }
}

/** @throws the signal's reason when it aborts first */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
