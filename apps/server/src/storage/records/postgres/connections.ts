import type { ConnectionStore } from '../coordinator-stores.ts'
import { ALIVE } from './database-time.ts'
import type { PrismaClient } from './generated/client.ts'

export function prismaConnections(prisma: PrismaClient): ConnectionStore {
  return {
    async connect({ clientId, connectionId, coordinatorId }) {
      const count = await prisma.$executeRaw`
        INSERT INTO "Connection" ("clientId", "connectionId", "coordinatorId")
        SELECT ${clientId}::uuid, ${connectionId}::uuid, "id" FROM "Coordinator" WHERE "id" = ${coordinatorId}::uuid
        ON CONFLICT ("clientId") DO UPDATE
        SET "connectionId" = EXCLUDED."connectionId", "coordinatorId" = EXCLUDED."coordinatorId"`
      return count === 1
    },
    async restore(connections) {
      await prisma.connection.createMany({ data: [...connections], skipDuplicates: true })
    },
    async disconnect(connectionIds) {
      await prisma.connection.deleteMany({ where: { connectionId: { in: [...connectionIds] } } })
    },
    list: () => prisma.$queryRaw`
      SELECT "clientId"::text, "connectionId"::text, "coordinatorId"::text FROM "Connection"
      JOIN "Coordinator" ON "Coordinator"."id" = "coordinatorId" WHERE ${ALIVE}`,
    async isConnected(clientId, connectionId) {
      const rows = await prisma.$queryRaw<unknown[]>`
        SELECT 1 FROM "Connection" JOIN "Coordinator" ON "Coordinator"."id" = "coordinatorId"
        WHERE "clientId" = ${clientId}::uuid AND "connectionId" = ${connectionId}::uuid AND ${ALIVE}`
      return rows.length > 0
    },
  }
}
