import { randomUUID } from 'node:crypto'
import type {
  ClientToServerEvents,
  Invitation,
  Offer,
  RoundClosed,
  RunEnded,
  RunPaused,
  ServerToClientEvents,
} from '@fedsvd/core/protocol'
import { invitationReplySchema, offerReplySchema, parseMessage } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { Socket } from 'socket.io'
import type { z } from 'zod'
import type { ClientGateway } from '../rounds/index.ts'

export type ClientSocket = Socket<
  ClientToServerEvents,
  ServerToClientEvents,
  { cluster(envelope: string): void },
  { clientId: string; version?: string; instance?: string }
>

/** How long a client may take to answer: it calibrates its noise, and may load its data, before it does. */
const REPLY_TIMEOUT_MS = 600_000
/** How long a connected client may take to say that it is there. */
const PROBE_TIMEOUT_MS = 5000

interface Connection {
  readonly id: string
  readonly socket: ClientSocket
  readonly controller: AbortController
  /** The process at its other end; absent for clients of releases that do not name it. */
  readonly instance?: string | undefined
  /** It was in good standing when the connection was there already; whoever is revoked from then on is cut. */
  isVouched: boolean
}

/** The clients that are connected to other coordinators, and the way to them. */
export interface RemoteCoordinators {
  isConnected(clientId: string): boolean
  /** The reply of the client; undefined when it is away, goes away, or stays silent. */
  ask(clientId: string, event: Question, message: unknown): Promise<unknown>
  tell(clientId: string, event: Notice, message: ClientNotice): void
  /** True when another process of this identity than `instance` is connected and answers. */
  isTaken(clientId: string, instance: string): Promise<boolean>
}

export type Question = 'offer' | 'invite'
export type Notice = 'round-closed' | 'run-paused' | 'run-ended'
export type ClientNotice = RoundClosed | RunPaused | RunEnded

/**
 * The live connections of this coordinator: at most one per identity. It is also how runs speak to their clients, those
 * of other coordinators included.
 */
export class Presence implements ClientGateway {
  readonly #connections = new Map<string, Connection>()
  readonly #log: Logger
  readonly #elsewhere: RemoteCoordinators | undefined

  constructor(log: Logger, elsewhere?: RemoteCoordinators) {
    this.#log = log
    this.#elsewhere = elsewhere
  }

  get size(): number {
    return this.#connections.size
  }

  isConnected(clientId: string): boolean {
    return this.#connections.has(clientId) || (this.#elsewhere?.isConnected(clientId) ?? false)
  }

  /** The connections that this coordinator has itself. */
  get connections(): readonly { readonly clientId: string; readonly connectionId: string }[] {
    return Array.from(this.#connections, ([clientId, { id }]) => ({ clientId, connectionId: id }))
  }

  /**
   * True when another process of this identity is connected, here or to another coordinator, and answers: two hosts
   * have one state. One that does not answer is gone without a word, and its connection is ended.
   */
  async isTaken(clientId: string, instance: string | undefined): Promise<boolean> {
    if (instance === undefined) return false
    if (await this.isTakenHere(clientId, instance)) return true
    return (await this.#elsewhere?.isTaken(clientId, instance)) ?? false
  }

  /** True when a connection here is of another process of this identity; one that names no process is no other. */
  isOther(clientId: string, instance: string | undefined): boolean {
    const known = this.#connections.get(clientId)?.instance
    return known !== undefined && instance !== undefined && known !== instance
  }

  /** The same among the connections of this coordinator. */
  async isTakenHere(clientId: string, instance: string): Promise<boolean> {
    if (!this.isOther(clientId, instance)) return false
    const { socket, controller } = this.#connections.get(clientId)!
    const answers = socket.timeout(PROBE_TIMEOUT_MS).emitWithAck('probe')
    const isAlive = await untilAborted(
      answers.then(
        () => true,
        () => false,
      ),
      controller.signal,
    )
    if (isAlive === true) return true
    socket.disconnect(true)
    return false
  }

  /**
   * Registers a live connection; an older one of the same identity was cut before. The signal is aborted when this one
   * ends.
   */
  connect(clientId: string, socket: ClientSocket): { readonly connectionId: string; readonly signal: AbortSignal } {
    const controller = new AbortController()
    const connectionId = randomUUID()
    const { instance } = socket.data
    this.#connections.set(clientId, { id: connectionId, socket, controller, instance, isVouched: false })
    socket.once('disconnect', () => {
      if (this.#connections.get(clientId)?.socket === socket) this.#connections.delete(clientId)
      controller.abort()
    })
    return { connectionId, signal: controller.signal }
  }

  /** A connection turned out to be of a client in good standing. */
  vouch(clientId: string, connectionId: string): void {
    const connection = this.#connections.get(clientId)
    if (connection?.id === connectionId) connection.isVouched = true
  }

  /**
   * True for a live connection of this coordinator, this one or any, that is certain to be of a client in good
   * standing.
   */
  isHere(clientId: string, connectionId?: string): boolean {
    const connection = this.#connections.get(clientId)
    if (!connection?.isVouched) return false
    return connectionId === undefined || connectionId === connection.id
  }

  /** Ends the connection of a client, if there is one. */
  cut(clientId: string): void {
    this.#connections.get(clientId)?.socket.disconnect(true)
  }

  offer: ClientGateway['offer'] = async (clientId, message) =>
    this.#parse(offerReplySchema, await this.#ask(clientId, 'offer', message), clientId)

  invite: ClientGateway['invite'] = async (clientId, message) =>
    this.#parse(invitationReplySchema, await this.#ask(clientId, 'invite', message), clientId)

  roundClosed: ClientGateway['roundClosed'] = (clientId, message) =>
    this.#tell(clientId, 'round-closed', message, (socket) => socket.emit('round-closed', message))

  runPaused: ClientGateway['runPaused'] = (clientId, message) =>
    this.#tell(clientId, 'run-paused', message, (socket) => socket.emit('run-paused', message))

  runEnded: ClientGateway['runEnded'] = (clientId, message) =>
    this.#tell(clientId, 'run-ended', message, (socket) => socket.emit('run-ended', message))

  /**
   * The reply of a client that is connected here, as it came; undefined when it is away, goes away, or stays silent.
   */
  async askHere(clientId: string, event: Question, message: unknown, connectionId?: string): Promise<unknown> {
    const connection = this.#connections.get(clientId)
    if (connection === undefined || (connectionId ?? connection.id) !== connection.id) return undefined
    const { controller } = connection
    const socket = connection.socket.timeout(REPLY_TIMEOUT_MS)
    try {
      const reply = await untilAborted(ask(socket, event, message), controller.signal)
      return controller.signal.aborted ? undefined : reply
    } catch (error) {
      if (!controller.signal.aborted) this.#log.warn({ err: error, clientId }, `the client did not reply to "${event}"`)
      return undefined
    }
  }

  #ask(clientId: string, event: Question, message: unknown): Promise<unknown> {
    if (this.#connections.has(clientId) || this.#elsewhere === undefined) return this.askHere(clientId, event, message)
    return this.#elsewhere.ask(clientId, event, message)
  }

  #tell(clientId: string, event: Notice, message: ClientNotice, send: (socket: ClientSocket) => void): void {
    const here = this.#connections.get(clientId)
    if (here === undefined) this.#elsewhere?.tell(clientId, event, message)
    else send(here.socket)
  }

  /** Undefined when there is no valid answer. */
  #parse<T>(schema: z.ZodType<T>, reply: unknown, clientId: string): T | undefined {
    if (reply === undefined || reply === null) return undefined
    try {
      return parseMessage(schema, reply, 'a reply')
    } catch (error) {
      this.#log.warn({ err: error, clientId }, 'the reply of the client is invalid')
      return undefined
    }
  }
}

function ask(socket: ReturnType<ClientSocket['timeout']>, event: Question, message: unknown): Promise<unknown> {
  return event === 'offer'
    ? socket.emitWithAck(event, message as Offer)
    : socket.emitWithAck(event, message as Invitation)
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve(undefined)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
