import { isRunActive } from '@fedsvd/core/protocol'
import type { ClusterStore } from '../../../../../apps/server/src/storage/records/cluster-store.ts'
import { leaseLost } from '../../../../../apps/server/src/storage/records/refusals.ts'
import type { LeaseOf } from '../../../../../apps/server/src/storage/records/store.ts'
import type { Tables } from './tables.ts'

const isAlive = (row: { readonly expiresAt: number } | undefined): boolean =>
  row !== undefined && row.expiresAt > performance.now()

export function memoryCluster({ runs, cluster }: Tables): ClusterStore {
  const { coordinators, leases, connections, nonces } = cluster
  const isOpen = (runId: string): boolean => {
    const run = runs.get(runId)
    return run !== undefined && isRunActive(run.state)
  }
  const forget = (id: string): void => {
    coordinators.delete(id)
    for (const { clientId, coordinatorId } of connections.values())
      if (coordinatorId === id) connections.delete(clientId)
  }
  return {
    async beat(coordinator, lifetimeMs) {
      const isKnown = coordinators.has(coordinator.id)
      coordinators.set(coordinator.id, { ...coordinator, expiresAt: performance.now() + lifetimeMs })
      return isKnown
    },
    coordinators: async () => [...coordinators.values()].filter(isAlive).map(({ id, shared }) => ({ id, shared })),
    async leave(id) {
      forget(id)
      for (const lease of leases.values()) if (lease.owner === id) leases.set(lease.runId, { ...lease, expiresAt: 0 })
    },
    async sweep(deadForMs) {
      for (const { id, expiresAt } of coordinators.values()) if (expiresAt <= performance.now() - deadForMs) forget(id)
      for (const [nonce, expiresAt] of nonces) if (expiresAt <= performance.now()) nonces.delete(nonce)
    },
    async take(runId, owner, lifetimeMs) {
      const last = leases.get(runId)
      if (last !== undefined && last.owner !== owner && isAlive(last)) return undefined
      const lease = { runId, owner, epoch: (last?.epoch ?? 0) + 1 }
      leases.set(runId, { ...lease, expiresAt: performance.now() + lifetimeMs })
      return lease
    },
    async renew(owner, lifetimeMs) {
      const held = [...leases.values()].filter((lease) => lease.owner === owner && isOpen(lease.runId))
      for (const lease of held) leases.set(lease.runId, { ...lease, expiresAt: performance.now() + lifetimeMs })
      return held.map(({ runId, epoch }) => ({ runId, owner, epoch }))
    },
    async release({ runId, owner, epoch }) {
      const lease = leases.get(runId)
      if (lease?.owner === owner && lease.epoch === epoch) leases.set(runId, { ...lease, expiresAt: 0 })
    },
    driverOf: async (runId) => (isAlive(leases.get(runId)) ? leases.get(runId)!.owner : undefined),
    withoutOwner: async () =>
      [...runs.values()]
        .sort((left, right) => left.createdAt - right.createdAt)
        .map(({ manifest }) => manifest.runId)
        .filter((runId) => isOpen(runId) && !isAlive(leases.get(runId))),
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
    connections: async () =>
      [...connections.values()].filter(({ coordinatorId }) => isAlive(coordinators.get(coordinatorId))),
    async isConnected(clientId, connectionId) {
      const found = connections.get(clientId)
      return found?.connectionId === connectionId && isAlive(coordinators.get(found.coordinatorId))
    },
    async spendNonce(nonce, lifetimeMs) {
      if (nonces.has(nonce)) return false
      nonces.set(nonce, performance.now() + lifetimeMs)
      return true
    },
  }
}

/** @throws FedsvdError LEASE_LOST unless the run's lease is the one that the process holds */
export type Fence = (runId: string) => void

/** Lets everybody pass where there are no leases. */
export function fence({ cluster }: Tables, leaseOf: LeaseOf | undefined): Fence {
  if (leaseOf === undefined) return () => {}
  return (runId) => {
    const [held, stored] = [leaseOf(runId), cluster.leases.get(runId)]
    if (held === undefined || stored?.owner !== held.owner || stored.epoch !== held.epoch) throw leaseLost(runId)
  }
}
