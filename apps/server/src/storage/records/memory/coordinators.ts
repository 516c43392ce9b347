import type { CoordinatorStore } from '../coordinator-stores.ts'
import { isAlive } from './alive.ts'
import type { Tables } from './tables.ts'

export function memoryCoordinators({ cluster }: Tables): CoordinatorStore {
  const { coordinators, leases, connections, nonces } = cluster
  const forget = (id: string): void => {
    coordinators.delete(id)
    for (const { clientId, coordinatorId } of connections.values())
      if (coordinatorId === id) connections.delete(clientId)
  }
  return {
    async heartbeat(coordinator, lifetimeMs) {
      const isKnown = coordinators.has(coordinator.id)
      coordinators.set(coordinator.id, { ...coordinator, expiresAt: performance.now() + lifetimeMs })
      return isKnown
    },
    list: async () => [...coordinators.values()].filter(isAlive).map(({ id, shared }) => ({ id, shared })),
    async leave(id) {
      forget(id)
      for (const lease of leases.values()) if (lease.owner === id) leases.set(lease.runId, { ...lease, expiresAt: 0 })
    },
    async sweep(deadForMs) {
      for (const { id, expiresAt } of coordinators.values()) if (expiresAt <= performance.now() - deadForMs) forget(id)
      for (const [nonce, expiresAt] of nonces) if (expiresAt <= performance.now()) nonces.delete(nonce)
    },
  }
}
