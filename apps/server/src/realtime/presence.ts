import type { ClientToServerEvents, ServerToClientEvents } from '@fedsvd/core/protocol'
import { invitationReplySchema, offerReplySchema, parseMessage } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { Socket } from 'socket.io'
import type { z } from 'zod'
import type { ClientGateway } from '../rounds/index.ts'

export type ClientSocket = Socket<
  ClientToServerEvents,
  ServerToClientEvents,
  Record<string, never>,
  { clientId: string; version?: string }
>

/** How long a client may take to answer: it calibrates its noise, and may load its data, before it does. */
const REPLY_TIMEOUT_MS = 600_000

interface Connection {
  readonly socket: ClientSocket
  readonly controller: AbortController
}

/** The live connections: at most one per identity. It is also how runs speak to their clients. */
export class Presence implements ClientGateway {
  readonly #connections = new Map<string, Connection>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  get size(): number {
    return this.#connections.size
  }

  isConnected(clientId: string): boolean {
    return this.#connections.has(clientId)
  }

  /** Registers a connection; an older one of the same identity is ended first. The signal is aborted when this one ends. */
  connect(clientId: string, socket: ClientSocket): AbortSignal {
    this.#connections.get(clientId)?.socket.disconnect(true)
    const controller = new AbortController()
    this.#connections.set(clientId, { socket, controller })
    socket.once('disconnect', () => {
      if (this.#connections.get(clientId)?.socket === socket) this.#connections.delete(clientId)
      controller.abort()
    })
    return controller.signal
  }

  /** Ends the connection of a client, if there is one. */
  cut(clientId: string): void {
    this.#connections.get(clientId)?.socket.disconnect(true)
  }

  offer: ClientGateway['offer'] = (clientId, message) =>
    this.#ask(clientId, offerReplySchema, 'a reply to an offer', (socket) => socket.emitWithAck('offer', message))

  invite: ClientGateway['invite'] = (clientId, message) =>
    this.#ask(clientId, invitationReplySchema, 'a reply to an invitation', (socket) =>
      socket.emitWithAck('invite', message),
    )

  roundClosed: ClientGateway['roundClosed'] = (clientId, message) => {
    this.#connections.get(clientId)?.socket.emit('round-closed', message)
  }

  runPaused: ClientGateway['runPaused'] = (clientId, message) => {
    this.#connections.get(clientId)?.socket.emit('run-paused', message)
  }

  runEnded: ClientGateway['runEnded'] = (clientId, message) => {
    this.#connections.get(clientId)?.socket.emit('run-ended', message)
  }

  /** Undefined when the client is away, goes away, stays silent, or answers something that is no answer. */
  async #ask<T>(
    clientId: string,
    schema: z.ZodType<T>,
    what: string,
    send: (socket: ReturnType<ClientSocket['timeout']>) => Promise<unknown>,
  ): Promise<T | undefined> {
    const connection = this.#connections.get(clientId)
    if (connection === undefined) return undefined
    const { socket, controller } = connection
    try {
      const reply = await untilAborted(send(socket.timeout(REPLY_TIMEOUT_MS)), controller.signal)
      return controller.signal.aborted ? undefined : parseMessage(schema, reply, what)
    } catch (error) {
      if (!controller.signal.aborted) this.#log.warn({ err: error, clientId }, `${what} did not come`)
      return undefined
    }
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve(undefined)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
