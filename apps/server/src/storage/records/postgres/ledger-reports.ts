import type { KnownSpending, LedgerReportRecord } from '../store.ts'
import { coalescing } from './coalesce.ts'
import { Prisma, type PrismaClient } from './generated/client.ts'
import { groupBy } from './group-by.ts'
import { type FactJson, factFrom } from './rows.ts'
import { SITE_LEVEL } from './site-level.ts'

/** How JSON has a row of "Update", in part. */
interface Delivery {
  readonly clientId: string
  readonly round: number
}

interface Ahead {
  readonly clientId: string
  readonly stepsAhead: number
}

/** Clients of a run that report at the same time, from the same round on, share one statement. */
export function ledgerReports(
  prisma: Pick<PrismaClient, '$queryRaw'>,
): (told: LedgerReportRecord) => Promise<KnownSpending> {
  return coalescing(async (reports) => {
    const known = new Map<LedgerReportRecord, KnownSpending>()
    for (const group of groupBy(reports, ({ runId, sinceRound }) => `${runId}/${sinceRound}`).values()) {
      const { facts, delivered, ahead } = await noteAndRead(prisma, group)
      const stepsOf = new Map(ahead.map(({ clientId, stepsAhead }) => [clientId, stepsAhead]))
      const factsOf = groupBy(facts, ({ clientId }) => clientId)
      const deliveredBy = groupBy(delivered, ({ clientId }) => clientId)
      for (const told of group) {
        known.set(told, {
          facts: (factsOf.get(told.clientId) ?? []).map(factFrom),
          delivered: (deliveredBy.get(told.clientId) ?? []).map(({ round }) => round),
          stepsAhead: stepsOf.get(told.clientId) ?? 0,
        })
      }
    }
    return reports.map((told) => known.get(told)!)
  })
}

/** What is read is what was there before the statement: one that writes does not see what it wrote. */
async function noteAndRead(
  prisma: Pick<PrismaClient, '$queryRaw'>,
  group: readonly LedgerReportRecord[],
): Promise<{
  readonly facts: readonly FactJson[]
  readonly delivered: readonly Delivery[]
  readonly ahead: readonly Ahead[]
}> {
  const { runId, sinceRound } = group[0]!
  const clientIds = [...new Set(group.map(({ clientId }) => clientId))]
  const held = group.flatMap(({ clientId, held, at }) =>
    held.map(({ round, attempt }) => ({ clientId, round, attempt, reportedAt: new Date(at) })),
  )
  const theirs = Prisma.sql`"runId" = ${runId}::uuid AND "clientId" = ANY(${clientIds}::uuid[]) AND "round" >= ${sinceRound}`
  const [found] = await prisma.$queryRaw<[{ facts: FactJson[]; delivered: Delivery[]; ahead: Ahead[] }]>`
    WITH "noted" AS (
      UPDATE "PrivacyEvent" AS "old" SET "reportedAt" = "new"."reportedAt"
      FROM jsonb_populate_recordset(NULL::"PrivacyEvent", ${JSON.stringify(held)}::jsonb) AS "new"
      WHERE "old"."runId" = ${runId}::uuid AND "old"."round" >= ${sinceRound} AND "old"."round" = "new"."round"
        AND "old"."clientId" = "new"."clientId" AND "old"."attempt" = "new"."attempt" AND "old"."unit" = ANY(${SITE_LEVEL.in})
        AND "old"."reportedAt" IS NULL)
    SELECT
      (SELECT coalesce(jsonb_agg("fact" ORDER BY "round", "attempt"), '[]') FROM "PrivacyEvent" AS "fact"
        WHERE ${theirs} AND "unit" = ANY(${SITE_LEVEL.in})) AS "facts",
      (SELECT coalesce(jsonb_agg(jsonb_build_object('clientId', "clientId", 'round', "round") ORDER BY "round"), '[]')
        FROM "Update" WHERE ${theirs}) AS "delivered",
      (SELECT coalesce(jsonb_agg(jsonb_build_object('clientId', "clientId", 'stepsAhead', "stepsAhead")), '[]')
        FROM "Participant"
        WHERE "runId" = ${runId}::uuid AND "clientId" = ANY(${clientIds}::uuid[]) AND "stepsAhead" > 0) AS "ahead"`
  return found
}
