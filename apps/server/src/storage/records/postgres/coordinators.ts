import type { CoordinatorStore } from '../coordinator-stores.ts'
import { ALIVE, after } from './database-time.ts'
import type { PrismaClient } from './generated/client.ts'

export function prismaCoordinators(prisma: PrismaClient): CoordinatorStore {
  return {
    async heartbeat({ id, shared }, lifetimeMs) {
      const rows = await prisma.$queryRaw<{ isNew: boolean }[]>`
        INSERT INTO "Coordinator" ("id", "shared", "expiresAt") VALUES (${id}::uuid, ${shared}, ${after(lifetimeMs)})
        ON CONFLICT ("id") DO UPDATE SET "expiresAt" = EXCLUDED."expiresAt"
        RETURNING (xmax = 0) AS "isNew"`
      return !rows[0]!.isNew
    },
    list: () => prisma.$queryRaw`SELECT "id"::text, "shared" FROM "Coordinator" WHERE ${ALIVE} ORDER BY "id"`,
    leave: (id) =>
      prisma.$transaction(async (tx) => {
        await tx.coordinator.deleteMany({ where: { id } })
        await tx.$executeRaw`UPDATE "RunLease" SET "expiresAt" = clock_timestamp() WHERE "owner" = ${id}::uuid`
      }),
    async sweep(deadForMs) {
      await prisma.$executeRaw`DELETE FROM "Coordinator" WHERE "expiresAt" < ${after(-deadForMs)}`
      await prisma.$executeRaw`DELETE FROM "SpentNonce" WHERE NOT (${ALIVE})`
    },
  }
}
