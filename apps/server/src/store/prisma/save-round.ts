import type { RoundProgress } from '../records.ts'
import type { RoundChange } from '../store.ts'
import { Prisma, type PrismaClient } from './generated/client.ts'
import { adapterRow, factRow, roundRow } from './rows.ts'

/**
 * Stores a change of a round in one statement, which happens as a whole or not at all: this is what every accepted update
 * waits for. False, and nothing stored, when the stored version is no longer that of `before`.
 *
 * The version decides between two writers: whatever else the statement does hangs on the row that it moved.
 */
export async function saveRound(prisma: PrismaClient, change: RoundChange): Promise<boolean> {
  const parts = [moved(change), ...tasks(change), ...updates(change), ...facts(change), ...result(change)]
  const [row] = await prisma.$queryRaw<[{ moved: bigint }]>`
    WITH ${Prisma.join(parts, ', ')} SELECT count(*) AS "moved" FROM moved`
  return row.moved === 1n
}

/** Rows of the table as JSON has them. */
const rows = (table: Prisma.Sql, values: readonly object[]): Prisma.Sql =>
  Prisma.sql`jsonb_populate_recordset(NULL::${table}, ${JSON.stringify(values)}::jsonb)`

const ROUND = Prisma.sql`"Round"`
const TASK = Prisma.sql`"Task"`
const UPDATE = Prisma.sql`"Update"`
const EVENT = Prisma.sql`"PrivacyEvent"`
const ADAPTER = Prisma.sql`"Adapter"`

function moved({ before, after }: RoundChange): Prisma.Sql {
  const { runId, round: number } = after
  const next = rows(ROUND, [{ runId, number, ...roundRow(after) }])
  if (before === undefined) {
    return Prisma.sql`moved AS (INSERT INTO ${ROUND} SELECT * FROM ${next} ON CONFLICT DO NOTHING RETURNING 1)`
  }
  return Prisma.sql`moved AS (
    UPDATE ${ROUND} AS "old" SET "phase" = "new"."phase", "version" = "new"."version", "deadline" = "new"."deadline",
      "extensions" = "new"."extensions", "closedAt" = "new"."closedAt", "publishedAt" = "new"."publishedAt"
    FROM ${next} AS "new"
    WHERE "old"."runId" = "new"."runId" AND "old"."number" = "new"."number" AND "old"."version" = ${before.version}
    RETURNING 1)`
}

function tasks({ before, after }: RoundChange): Prisma.Sql[] {
  const { runId, round } = after
  const known = new Map(before?.tasks.map(({ clientId, state }) => [clientId, state]))
  const changed = after.tasks.filter(({ clientId, state }) => known.get(clientId) !== state)
  if (changed.length === 0) return []
  const values = changed.map(({ clientId, state }) => ({ runId, round, clientId, state }))
  return [
    Prisma.sql`tasks AS (
      INSERT INTO ${TASK} SELECT "new".* FROM moved, ${rows(TASK, values)} AS "new"
      ON CONFLICT ("runId", "round", "clientId") DO UPDATE SET "state" = EXCLUDED."state")`,
  ]
}

function updates({ before, after }: RoundChange): Prisma.Sql[] {
  const { runId, round } = after
  const known = delivered(before)
  const values = after.tasks.flatMap(({ clientId, update }) => {
    if (update === undefined || known.has(clientId)) return []
    const { sha256, bytes, receivedAt } = update
    return [{ runId, round, clientId, sha256, bytes, receivedAt: new Date(receivedAt) }]
  })
  if (values.length === 0) return []
  return [Prisma.sql`updates AS (INSERT INTO ${UPDATE} SELECT "new".* FROM moved, ${rows(UPDATE, values)} AS "new")`]
}

const delivered = (progress: RoundProgress | undefined): ReadonlySet<string> =>
  new Set(progress?.tasks.filter(({ update }) => update !== undefined).map(({ clientId }) => clientId))

function facts({ after: { runId, round }, spent, released }: RoundChange): Prisma.Sql[] {
  const charged = Prisma.sql`spent AS (
    INSERT INTO ${EVENT} SELECT "new".* FROM moved, ${rows(EVENT, spent.map(factRow))} AS "new"
    ON CONFLICT ("runId", "clientId", "round", "unit", "attempt") DO UPDATE SET "voided" = false)`
  const voided = Prisma.sql`released AS (
    UPDATE ${EVENT} SET "voided" = true FROM moved
    WHERE "runId" = ${runId}::uuid AND "round" = ${round} AND "attempt" = 1 AND "unit" = 'record'
      AND "clientId" = ANY(${[...released]}::uuid[]))`
  return [...(spent.length > 0 ? [charged] : []), ...(released.length > 0 ? [voided] : [])]
}

function result({ before, after }: RoundChange): Prisma.Sql[] {
  const { runId, round, result: state, publishedAt } = after
  const number = round + 1
  if (state !== undefined && before?.result === undefined) {
    const value = adapterRow({ runId, number, ...state, ...(publishedAt !== undefined && { publishedAt }) })
    return [
      Prisma.sql`result AS (INSERT INTO ${ADAPTER} SELECT "new".* FROM moved, ${rows(ADAPTER, [value])} AS "new")`,
    ]
  }
  if (publishedAt === undefined || before?.publishedAt !== undefined) return []
  return [
    Prisma.sql`published AS (
      UPDATE ${ADAPTER} SET "publishedAt" = ${new Date(publishedAt)} FROM moved
      WHERE "runId" = ${runId}::uuid AND "number" = ${number})`,
  ]
}
