import type { ClusterStore, Lease } from '../cluster-store.ts'
import { Prisma, type PrismaClient } from './generated/client.ts'

const after = (milliseconds: number): Prisma.Sql =>
  Prisma.sql`(clock_timestamp() + ${milliseconds}::float8 * interval '1 millisecond')`
const ALIVE = Prisma.sql`"expiresAt" > clock_timestamp()`

export function prismaCluster(prisma: PrismaClient): ClusterStore {
  return {
    async beat({ id, shared }, lifetimeMs) {
      const rows = await prisma.$queryRaw<{ isNew: boolean }[]>`
        INSERT INTO "Coordinator" ("id", "shared", "expiresAt") VALUES (${id}::uuid, ${shared}, ${after(lifetimeMs)})
        ON CONFLICT ("id") DO UPDATE SET "expiresAt" = EXCLUDED."expiresAt"
        RETURNING (xmax = 0) AS "isNew"`
      return !rows[0]!.isNew
    },
    coordinators: () => prisma.$queryRaw`SELECT "id"::text, "shared" FROM "Coordinator" WHERE ${ALIVE} ORDER BY "id"`,
    leave: (id) =>
      prisma.$transaction(async (tx) => {
        await tx.coordinator.deleteMany({ where: { id } })
        await tx.$executeRaw`UPDATE "RunLease" SET "expiresAt" = clock_timestamp() WHERE "owner" = ${id}::uuid`
      }),
    async sweep(deadForMs) {
      await prisma.$executeRaw`DELETE FROM "Coordinator" WHERE "expiresAt" < ${after(-deadForMs)}`
      await prisma.$executeRaw`DELETE FROM "SpentNonce" WHERE NOT (${ALIVE})`
    },

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
    async driverOf(runId) {
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
    connections: () => prisma.$queryRaw`
      SELECT "clientId"::text, "connectionId"::text, "coordinatorId"::text FROM "Connection"
      JOIN "Coordinator" ON "Coordinator"."id" = "coordinatorId" WHERE ${ALIVE}`,
    async isConnected(clientId, connectionId) {
      const rows = await prisma.$queryRaw<unknown[]>`
        SELECT 1 FROM "Connection" JOIN "Coordinator" ON "Coordinator"."id" = "coordinatorId"
        WHERE "clientId" = ${clientId}::uuid AND "connectionId" = ${connectionId}::uuid AND ${ALIVE}`
      return rows.length > 0
    },
    async spendNonce(nonce, lifetimeMs) {
      const count = await prisma.$executeRaw`
        INSERT INTO "SpentNonce" ("nonce", "expiresAt") VALUES (${nonce}, ${after(lifetimeMs)}) ON CONFLICT DO NOTHING`
      return count === 1
    },
  }
}
