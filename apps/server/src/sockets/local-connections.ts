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
import type { Logger } from 'pino'
import type { Socket } from 'socket.io'

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
  /** The client was in good standing after it had connected; one that is revoked from then on is disconnected. */
  isVouched: boolean
}

/** What a client is asked. */
export type Question = 'offer' | 'invite'

/** What a client is told without being asked. */
export type Notice =
  | { readonly event: 'round-closed'; readonly message: RoundClosed }
  | { readonly event: 'run-paused'; readonly message: RunPaused }
  | { readonly event: 'run-ended'; readonly message: RunEnded }

/** The live connections of this coordinator: at most one per identity. */
export class LocalConnections {
  readonly #connections = new Map<string, Connection>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  get size(): number {
    return this.#connections.size
  }

  has(clientId: string): boolean {
    return this.#connections.has(clientId)
  }

  list(): readonly { readonly clientId: string; readonly connectionId: string }[] {
    return Array.from(this.#connections, ([clientId, { id }]) => ({ clientId, connectionId: id }))
  }

  /** True when a connection here is of another process of this identity; one that names no process is no other. */
  isOther(clientId: string, instance: string | undefined): boolean {
    const known = this.#connections.get(clientId)?.instance
    return known !== undefined && instance !== undefined && known !== instance
  }

  /**
   * True when another process of this identity is connected here, and answers. One that does not answer has
   * vanished without closing its connection, which is ended.
   */
  async isTaken(clientId: string, instance: string): Promise<boolean> {
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
  isVouched(clientId: string, connectionId?: string): boolean {
    const connection = this.#connections.get(clientId)
    if (!connection?.isVouched) return false
    return connectionId === undefined || connectionId === connection.id
  }

  /** Ends the connection of a client, if there is one. */
  cut(clientId: string): void {
    this.#connections.get(clientId)?.socket.disconnect(true)
  }

  /**
   * The reply of a client that is connected here, as it came; undefined when it is away, goes away, or stays silent.
   */
  async ask(clientId: string, event: Question, message: unknown, connectionId?: string): Promise<unknown> {
    const connection = this.#connections.get(clientId)
    if (connection === undefined || (connectionId ?? connection.id) !== connection.id) return undefined
    const { controller } = connection
    const socket = connection.socket.timeout(REPLY_TIMEOUT_MS)
    try {
      const reply = await untilAborted(ask(socket, event, message), controller.signal)
      return controller.signal.aborted ? undefined : reply
    } catch (error) {
      const level = event === 'offer' ? 'info' : 'warn' // somebody at the site may have to decide about an offer
      if (!controller.signal.aborted)
        this.#log[level]({ err: error, clientId }, `the client did not reply to "${event}"`)
      return undefined
    }
  }

  /** False when the client is not connected here. */
  tell(clientId: string, { event, message }: Notice): boolean {
    const socket = this.#connections.get(clientId)?.socket
    if (socket === undefined) return false
    if (event === 'round-closed') socket.emit(event, message)
    else if (event === 'run-paused') socket.emit(event, message)
    else socket.emit(event, message)
    return true
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
