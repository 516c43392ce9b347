import type { Store } from '../store.ts'
import { openPrismaStore } from './prisma-store.ts'

const CONNECTIONS = 10
const CONNECT_TIMEOUT_MS = 10_000
/**
 * A coordinator that freezes, or whose machine is lost, in the middle of a transaction must not hold its rows for ever.
 * Longer than a transaction may take anyway: one that is only slow is not cut.
 */
const IDLE_IN_TRANSACTION_MS = 40_000

/** The store in a PostgreSQL database. @throws FedsvdError DATABASE_UNAVAILABLE or MIGRATION_FAILED */
export function openPostgresStore(databaseUrl: string): Promise<Store> {
  return openPrismaStore({
    connectionString: databaseUrl,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
  })
}
