import type { Clock } from '../platform/index.ts'
import type { ConnectionRecord, ConnectionStore } from '../storage/records/index.ts'
import type { Channel } from './channel.ts'
import { Directory } from './directory.ts'

/** The connections of this coordinator, and what it does when a client connects to another one. */
export interface LocalClients {
  /** A client is connected to another coordinator from now on, until the signal is aborted. */
  arrived(clientId: string, connection: AbortSignal): void
  /** The connections that this coordinator has. */
  connections(): readonly Omit<ConnectionRecord, 'coordinatorId'>[]
  /** Ends the connection of a client. */
  cut(clientId: string): void
}

export interface RemoteClientsParts {
  /** This coordinator. */
  readonly id: string
  readonly connections: ConnectionStore
  readonly clock: Clock
  readonly channel: Channel
  readonly local: LocalClients
  /** Writes a heartbeat of this coordinator, which may have been forgotten. */
  readonly heartbeat: () => Promise<unknown>
  /** True once all connections of this coordinator are forgotten together. */
  readonly isLeaving: () => boolean
}

const ASK_TIMEOUT_MS = 600_000

/** The clients of the other coordinators, and which clients the others know to be connected here. */
export class RemoteClients {
  readonly #parts: RemoteClientsParts
  readonly #directory: Directory
  /** Clients that have connected here since the connections were last read. */
  readonly #fresh = new Set<string>()

  constructor(parts: RemoteClientsParts) {
    this.#parts = parts
    this.#directory = new Directory((clientId, connection) => {
      parts.local.cut(clientId)
      parts.local.arrived(clientId, connection)
    })
  }

  isConnected(clientId: string): boolean {
    return this.#directory.has(clientId)
  }

  /** Puts a question to a client, wherever it is connected; undefined when it is away, goes away, or stays silent. */
  async ask(clientId: string, event: 'offer' | 'invite', message: unknown): Promise<unknown> {
    const found = this.#directory.find(clientId)
    if (found === undefined) return undefined
    const { connection, signal } = found
    const { clock, channel } = this.#parts
    const over = new AbortController()
    const giveUp = (): void => over.abort()
    const cancel = clock.at(clock.now() + ASK_TIMEOUT_MS, giveUp)
    signal.addEventListener('abort', giveUp)
    try {
      return await channel.call(connection.coordinatorId, 'ask', { ...connection, event, message }, over.signal)
    } catch {
      return undefined
    } finally {
      cancel()
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** True when another process of this identity than `instance` is connected to another coordinator, and answers. */
  async isTaken(clientId: string, instance: string): Promise<boolean> {
    const found = this.#directory.find(clientId)
    if (found === undefined) return false
    const { coordinatorId } = found.connection
    try {
      return (await this.#parts.channel.call(coordinatorId, 'taken', { clientId, instance }, found.signal)) === true
    } catch {
      return false // that coordinator, or the connection, is gone
    }
  }

  /** A client has connected here: it is nowhere else any more. */
  async entered(clientId: string, connectionId: string): Promise<void> {
    const { id, connections, channel, heartbeat } = this.#parts
    const connection = { clientId, connectionId, coordinatorId: id }
    this.#fresh.add(clientId)
    if (!(await connections.connect(connection))) {
      await heartbeat()
      await connections.connect(connection)
    }
    this.#directory.left(clientId)
    channel.tell('arrived', connection)
  }

  async exited(clientId: string, connectionId: string): Promise<void> {
    const { connections, channel, isLeaving } = this.#parts
    if (isLeaving()) return
    channel.tell('left', { clientId, connectionId })
    await connections.disconnect([connectionId])
  }

  /** Another coordinator says that a client has connected to it. */
  arrivedElsewhere(connection: ConnectionRecord): void {
    this.#directory.arrived(connection)
  }

  /** Another coordinator says that a connection to it has ended. */
  leftElsewhere({ clientId, connectionId }: Pick<ConnectionRecord, 'clientId' | 'connectionId'>): void {
    this.#directory.left(clientId, connectionId)
  }

  /**
   * Mends what the database and this coordinator hold of each other's connections: messages and writes may have been
   * lost.
   */
  async reconcile(): Promise<void> {
    const { id, connections, local } = this.#parts
    this.#fresh.clear()
    const held = (await connections.list()).filter(({ clientId }) => !this.#fresh.has(clientId))
    const here = local.connections()
    const own = new Set(here.map(({ connectionId }) => connectionId))
    const stored = new Set(held.map(({ connectionId }) => connectionId))
    const stale = held.filter(({ coordinatorId, connectionId }) => coordinatorId === id && !own.has(connectionId))
    if (stale.length > 0) await connections.disconnect(stale.map(({ connectionId }) => connectionId))
    const missing = here.filter(({ clientId, connectionId }) => !stored.has(connectionId) && !this.#fresh.has(clientId))
    const elsewhere = held.filter(({ coordinatorId }) => coordinatorId !== id)
    const away = new Set(elsewhere.map(({ clientId }) => clientId))
    const restored = missing.filter(({ clientId }) => !away.has(clientId))
    if (restored.length > 0) {
      await connections.restore(restored.map((connection) => ({ ...connection, coordinatorId: id })))
    }
    this.#directory.replace(elsewhere)
  }
}
