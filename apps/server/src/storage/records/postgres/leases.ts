import type { Lease, LeaseStore } from '../coordinator-stores.ts'
import { ALIVE, after } from './database-time.ts'
import type { PrismaClient } from './generated/client.ts'

export function prismaLeases(prisma: PrismaClient): LeaseStore {
  return {
    async take(runId, owner, lifetimeMs) {
      const [taken] = await prisma.$queryRaw<Lease[]>`
        INSERT INTO "RunLease" ("runId", "owner", "epoch", "expiresAt")
        VALUES (${runId}::uuid, ${owner}::uuid, 1, ${after(lifetimeMs)})
        ON CONFLICT ("runId") DO UPDATE
        SET "owner" = EXCLUDED."owner", "epoch" = "RunLease"."epoch" + 1, "expiresAt" = EXCLUDED."expiresAt"
        WHERE "RunLease"."owner" = EXCLUDED."owner" OR "RunLease"."expiresAt" <= clock_timestamp()
        RETURNING "runId"::text, "owner"::text, "epoch"`
      return taken
    },
    renew: (owner, lifetimeMs) => prisma.$queryRaw`
      UPDATE "RunLease" SET "expiresAt" = ${after(lifetimeMs)} FROM "Run"
      WHERE "owner" = ${owner}::uuid AND "Run"."id" = "runId" AND "Run"."state" IN ('waiting', 'running')
      RETURNING "runId"::text, "owner"::text, "epoch"`,
    async release({ runId, owner, epoch }) {
      await prisma.$executeRaw`
        UPDATE "RunLease" SET "expiresAt" = clock_timestamp()
        WHERE "runId" = ${runId}::uuid AND "owner" = ${owner}::uuid AND "epoch" = ${epoch}`
    },
    async ownerOf(runId) {
      const [lease] = await prisma.$queryRaw<{ owner: string }[]>`
        SELECT "owner"::text FROM "RunLease" WHERE "runId" = ${runId}::uuid AND ${ALIVE}`
      return lease?.owner
    },
    async withoutOwner() {
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        SELECT "id"::text FROM "Run" WHERE "state" IN ('waiting', 'running')
        AND NOT EXISTS (SELECT FROM "RunLease" WHERE "runId" = "Run"."id" AND ${ALIVE}) ORDER BY "createdAt"`
      return rows.map(({ id }) => id)
    },
  }
}
