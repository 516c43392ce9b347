import type { ConnectionStore } from '../coordinator-stores.ts'
import { isAlive } from './alive.ts'
import type { Tables } from './tables.ts'

export function memoryConnections({ cluster: { coordinators, connections } }: Tables): ConnectionStore {
  return {
    async connect(connection) {
      if (!coordinators.has(connection.coordinatorId)) return false
      connections.set(connection.clientId, connection)
      return true
    },
    async restore(restored) {
      for (const connection of restored) {
        if (!connections.has(connection.clientId)) connections.set(connection.clientId, connection)
      }
    },
    async disconnect(connectionIds) {
      for (const { clientId, connectionId } of connections.values()) {
        if (connectionIds.includes(connectionId)) connections.delete(clientId)
      }
    },
    list: async () => [...connections.values()].filter(({ coordinatorId }) => isAlive(coordinators.get(coordinatorId))),
    async isConnected(clientId, connectionId) {
      const found = connections.get(clientId)
      return found?.connectionId === connectionId && isAlive(coordinators.get(found.coordinatorId))
    },
  }
}
