import type { Logger } from 'pino'
import { ClientMessenger, type RemoteCoordinators } from './client-messenger.ts'
import { LocalConnections } from './local-connections.ts'

/** The clients that are connected. */
export interface Presence {
  /** The connections of this coordinator. */
  readonly local: LocalConnections
  /** The way to every client, those of other coordinators included. */
  readonly messenger: ClientMessenger
}

export function createPresence(log: Logger, elsewhere?: RemoteCoordinators): Presence {
  const local = new LocalConnections(log)
  return { local, messenger: new ClientMessenger(local, elsewhere, log) }
}
