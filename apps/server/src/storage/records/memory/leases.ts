import { isRunActive } from '@fedsvd/core/protocol'
import type { LeaseStore } from '../coordinator-stores.ts'
import { isAlive } from './alive.ts'
import type { Tables } from './tables.ts'

export function memoryLeases({ runs, cluster: { leases } }: Tables): LeaseStore {
  const isOpen = (runId: string): boolean => {
    const run = runs.get(runId)
    return run !== undefined && isRunActive(run.state)
  }
  return {
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
    ownerOf: async (runId) => (isAlive(leases.get(runId)) ? leases.get(runId)!.owner : undefined),
    withoutOwner: async () =>
      [...runs.values()]
        .sort((left, right) => left.createdAt - right.createdAt)
        .map(({ manifest }) => manifest.runId)
        .filter((runId) => isOpen(runId) && !isAlive(leases.get(runId))),
  }
}
