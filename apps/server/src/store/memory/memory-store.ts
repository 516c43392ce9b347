import type { Store } from '../store.ts'
import { memoryAlerts } from './alerts.ts'
import { memoryAudit } from './audit.ts'
import { memoryClients } from './clients.ts'
import { memoryLedger } from './ledger.ts'
import { memoryOperators } from './operators.ts'
import { memoryReferences } from './references.ts'
import { memoryRounds } from './rounds.ts'
import { memoryRuns } from './runs.ts'
import { emptyTables } from './tables.ts'

/** A store that forgets everything with its process: for unit tests. */
export function createMemoryStore(): Store {
  const tables = emptyTables()
  return {
    clients: memoryClients(tables),
    runs: memoryRuns(tables),
    rounds: memoryRounds(tables),
    ledger: memoryLedger(tables),
    alerts: memoryAlerts(tables),
    operators: memoryOperators(tables),
    audit: memoryAudit(tables),
    references: memoryReferences(tables),
    ping: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}
