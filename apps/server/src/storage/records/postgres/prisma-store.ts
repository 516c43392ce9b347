import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { shippedFolder } from '../../../platform/index.ts'
import type { WriteRows } from '../dump.ts'
import type { LeaseOf, Store } from '../store.ts'
import { prismaAdapters } from './adapters.ts'
import { prismaAlerts } from './alerts.ts'
import { prismaAudit } from './audit.ts'
import { fillNameKeys, prismaClients } from './clients.ts'
import { prismaConnections } from './connections.ts'
import { prismaCoordinators } from './coordinators.ts'
import { translateDatabaseError, translating } from './database-errors.ts'
import { dumpDatabase } from './dump.ts'
import { fence } from './fence.ts'
import { PrismaClient } from './generated/client.ts'
import { prismaLeases } from './leases.ts'
import { prismaLedger } from './ledger.ts'
import { applyMigrations } from './migrate.ts'
import { prismaNonces } from './nonces.ts'
import { prismaOperators } from './operators.ts'
import { prismaParticipants } from './participants.ts'
import { prismaReferences } from './references.ts'
import { prismaRegisteredModels } from './registered-models.ts'
import { prismaRounds } from './rounds.ts'
import { prismaRuns } from './runs.ts'

export const MIGRATIONS = shippedFolder(
  new URL('../../../../prisma/migrations', import.meta.url),
  new URL('../../../../../../prisma/migrations', import.meta.url),
)

/** Longest that a dump may take: everybody else waits for it. */
const DUMP_MS = 600_000

/** With a single connection a transaction may have to wait for all that came before it. */
const TRANSACTIONS = { maxWait: 30_000, timeout: 30_000 }

/**
 * A store on any database that speaks PostgreSQL's protocol. Brings the schema up to date first; `check` looks at the
 * database before that.
 */
export async function openPrismaStore(
  connection: pg.PoolConfig,
  beforeClose: () => Promise<void> = async () => {},
  { check = async () => {}, dumps = false }: { check?(client: pg.Client): Promise<void>; dumps?: boolean } = {},
): Promise<Store> {
  await migrate(connection, check)
  const prisma = new PrismaClient({ adapter: new PrismaPg(connection), transactionOptions: TRANSACTIONS })
  try {
    await fillNameKeys(prisma)
  } catch (error) {
    await prisma.$disconnect()
    throw translateDatabaseError(error)
  }
  const open = (leaseOf: LeaseOf | undefined, close: () => Promise<void>): Store => {
    const guard = fence(leaseOf)
    return {
      clients: translating(prismaClients(prisma)),
      runs: translating(prismaRuns(prisma, guard)),
      participants: translating(prismaParticipants(prisma, guard)),
      adapters: translating(prismaAdapters(prisma)),
      rounds: translating(prismaRounds(prisma, guard)),
      registeredModels: translating(prismaRegisteredModels(prisma)),
      ledger: translating(prismaLedger(prisma, guard)),
      alerts: translating(prismaAlerts(prisma)),
      operators: translating(prismaOperators(prisma)),
      audit: translating(prismaAudit(prisma)),
      references: translating(prismaReferences(prisma)),
      coordinators: translating(prismaCoordinators(prisma)),
      leases: translating(prismaLeases(prisma)),
      connections: translating(prismaConnections(prisma)),
      nonces: translating(prismaNonces(prisma)),
      ...translating({
        async ping() {
          await prisma.$queryRaw`SELECT 1`
        },
      }),
      ...(dumps && {
        dump: (write: WriteRows) =>
          prisma.$transaction(
            (tx) =>
              dumpDatabase(
                (sql) =>
                  /^(SELECT|FETCH)/.test(sql) ? tx.$queryRawUnsafe(sql) : tx.$executeRawUnsafe(sql).then(() => []),
                write,
              ),
            { maxWait: DUMP_MS, timeout: DUMP_MS, isolationLevel: 'RepeatableRead' },
          ),
      }),
      fencedBy: (given) => open(given, async () => {}),
      [Symbol.asyncDispose]: close,
    }
  }
  return open(undefined, async () => {
    await prisma.$disconnect()
    await beforeClose()
  })
}

async function migrate(connection: pg.PoolConfig, check: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(connection)
  try {
    await client.connect()
    await check(client)
    await applyMigrations(client, MIGRATIONS)
  } catch (error) {
    throw translateDatabaseError(error)
  } finally {
    await client.end().catch(() => {}) // a connection that never was has nothing to end
  }
}
