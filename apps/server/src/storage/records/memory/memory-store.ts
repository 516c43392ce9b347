import type { LeaseOf, Store } from '../store.ts'
import { memoryAdapters } from './adapters.ts'
import { memoryAlerts } from './alerts.ts'
import { memoryAudit } from './audit.ts'
import { memoryClients } from './clients.ts'
import { memoryConnections } from './connections.ts'
import { memoryCoordinators } from './coordinators.ts'
import { fence } from './fence.ts'
import { memoryLeases } from './leases.ts'
import { memoryLedger } from './ledger.ts'
import { memoryNonces } from './nonces.ts'
import { memoryOperators } from './operators.ts'
import { memoryParticipants } from './participants.ts'
import { memoryReferences } from './references.ts'
import { memoryRegisteredModels } from './registered-models.ts'
import { memoryRounds } from './rounds.ts'
import { memoryRuns } from './runs.ts'
import { emptyTables } from './tables.ts'

/** A store that forgets everything with its process: for simulations and for tests. */
export function createMemoryStore(): Store {
  const tables = emptyTables()
  const open = (leaseOf?: LeaseOf): Store => {
    const guard = fence(tables, leaseOf)
    return {
      clients: memoryClients(tables),
      runs: memoryRuns(tables, guard),
      participants: memoryParticipants(tables, guard),
      adapters: memoryAdapters(tables),
      rounds: memoryRounds(tables, guard),
      ledger: memoryLedger(tables, guard),
      registeredModels: memoryRegisteredModels(tables),
      alerts: memoryAlerts(tables),
      operators: memoryOperators(tables),
      audit: memoryAudit(tables),
      references: memoryReferences(tables),
      coordinators: memoryCoordinators(tables),
      leases: memoryLeases(tables),
      connections: memoryConnections(tables),
      nonces: memoryNonces(tables),
      ping: async () => {},
      fencedBy: open,
      [Symbol.asyncDispose]: async () => {},
    }
  }
  return open()
}
