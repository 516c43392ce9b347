import type { ConnectionRecord } from '../storage/records/index.ts'

interface Entry {
  readonly connection: ConnectionRecord
  readonly controller: AbortController
}

/** The clients that are connected to other coordinators, as far as this one has heard. */
export class Directory {
  readonly #entries = new Map<string, Entry>()
  readonly #onArrival: (clientId: string, connection: AbortSignal) => void

  /** `onArrival` gets a signal that is aborted when the connection has ended, or its coordinator has. */
  constructor(onArrival: (clientId: string, connection: AbortSignal) => void) {
    this.#onArrival = onArrival
  }

  find(clientId: string): { readonly connection: ConnectionRecord; readonly signal: AbortSignal } | undefined {
    const entry = this.#entries.get(clientId)
    return entry && { connection: entry.connection, signal: entry.controller.signal }
  }

  has(clientId: string): boolean {
    return this.#entries.has(clientId)
  }

  arrived(connection: ConnectionRecord): void {
    const { clientId } = connection
    const known = this.#entries.get(clientId)
    if (known?.connection.connectionId === connection.connectionId) return
    const controller = new AbortController()
    this.#entries.set(clientId, { connection, controller })
    known?.controller.abort()
    this.#onArrival(clientId, controller.signal)
  }

  /** Whichever of its connections when none is named. */
  left(clientId: string, connectionId?: string): void {
    const known = this.#entries.get(clientId)
    if (known === undefined || (connectionId !== undefined && known.connection.connectionId !== connectionId)) return
    this.#entries.delete(clientId)
    known.controller.abort()
  }

  /** What is connected to others according to the database, where the messages about it may have been lost. */
  replace(connections: readonly ConnectionRecord[]): void {
    const current = new Set(connections.map(({ clientId }) => clientId))
    for (const clientId of this.#entries.keys()) if (!current.has(clientId)) this.left(clientId)
    for (const connection of connections) this.arrived(connection)
  }
}
