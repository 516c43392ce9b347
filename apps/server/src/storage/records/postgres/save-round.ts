import type { Lease } from '../coordinator-stores.ts'
import type { RoundProgress, StaleUpdate } from '../records.ts'
import type { RoundChange } from '../store.ts'
import { heldLease } from './fence.ts'
import { Prisma, type PrismaClient } from './generated/client.ts'
import { adapterRow, factRow, roundRow } from './rows.ts'
import { SITE_LEVEL } from './site-level.ts'

/** What goes into the statement besides the change of the round itself. */
export interface SavedWith {
  /** Stale updates that this change counts. */
  readonly late?: readonly StaleUpdate[]
  /** The lease under which alone something is stored; a transaction around the statement may hold it instead. */
  readonly lease?: Lease | undefined
}

/** What became of a change: whether it was stored, and how many stale updates it counted. */
export interface SavedRound {
  /** False when another coordinator has the lease; nothing was stored then. */
  readonly isHeld: boolean
  readonly isMoved: boolean
  readonly late: number
}

/**
 * Stores a change of a round in one statement, which happens as a whole or not at all: this is what every accepted
 * update waits for. Nothing is stored when the stored version is no longer that of `before`. Stale updates whose task
 * is no longer open are left out: who passes some has to look at how many were counted, and to roll back.
 *
 * The version decides between two writers: whatever else the statement does hangs on the row that it moved.
 */
export async function saveRound(
  db: Pick<PrismaClient, '$queryRaw'>,
  change: RoundChange,
  { late = [], lease }: SavedWith,
): Promise<SavedRound> {
  const counted = late.length > 0 ? [openTasks(change, late), lateUpdates(change, late)] : []
  const held = Prisma.sql`held AS (${lease === undefined ? Prisma.sql`SELECT 1` : heldLease(lease)})`
  const round = [moved(change), ...tasks(change), ...updates(change)]
  const parts = [held, ...round, ...counted, ...facts(change), ...result(change)]
  const lateCount = late.length > 0 ? Prisma.sql`(SELECT count(*) FROM late)` : Prisma.sql`0::bigint`
  const [row] = await db.$queryRaw<[{ held: bigint; moved: bigint; late: bigint }]>`
    WITH ${Prisma.join(parts, ', ')}
    SELECT (SELECT count(*) FROM held) AS "held", count(*) AS "moved", ${lateCount} AS "late" FROM moved`
  return { isHeld: row.held === 1n, isMoved: row.moved === 1n, late: Number(row.late) }
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
    return Prisma.sql`moved AS (
      INSERT INTO ${ROUND} SELECT "new".* FROM held, ${next} AS "new" ON CONFLICT DO NOTHING RETURNING 1)`
  }
  return Prisma.sql`moved AS (
    UPDATE ${ROUND} AS "old" SET "phase" = "new"."phase", "version" = "new"."version", "deadline" = "new"."deadline",
      "extensions" = "new"."extensions", "closedAt" = "new"."closedAt", "publishedAt" = "new"."publishedAt"
    FROM held, ${next} AS "new"
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
    return [{ runId, round, clientId, sha256, bytes, receivedAt: new Date(receivedAt), countedIn: round }]
  })
  if (values.length === 0) return []
  return [Prisma.sql`updates AS (INSERT INTO ${UPDATE} SELECT "new".* FROM moved, ${rows(UPDATE, values)} AS "new")`]
}

/** The task of the round that an update was made in decides who counts it: it is open for one change only. */
function openTasks({ after: { runId } }: RoundChange, late: readonly StaleUpdate[]): Prisma.Sql {
  const values = late.map(({ round, clientId }) => ({ runId, round, clientId }))
  return Prisma.sql`late AS (
    UPDATE ${TASK} AS "old" SET "state" = 'late' FROM moved, ${rows(TASK, values)} AS "new"
    WHERE "old"."runId" = "new"."runId" AND "old"."round" = "new"."round" AND "old"."clientId" = "new"."clientId"
      AND "old"."state" = 'tasked'
    RETURNING "old"."round", "old"."clientId")`
}

function lateUpdates({ after }: RoundChange, late: readonly StaleUpdate[]): Prisma.Sql {
  const { runId, round: countedIn } = after
  const values = late.map(({ receivedAt, ...update }) => {
    return { runId, ...update, receivedAt: new Date(receivedAt), countedIn }
  })
  return Prisma.sql`late_updates AS (
    INSERT INTO ${UPDATE} SELECT "new".* FROM late JOIN ${rows(UPDATE, values)} AS "new" USING ("round", "clientId"))`
}

const delivered = (progress: RoundProgress | undefined): ReadonlySet<string> =>
  new Set(progress?.tasks.filter(({ update }) => update !== undefined).map(({ clientId }) => clientId))

function facts({ after: { runId, round }, spent, refunded }: RoundChange): Prisma.Sql[] {
  const charged = Prisma.sql`spent AS (
    INSERT INTO ${EVENT} SELECT "new".* FROM moved, ${rows(EVENT, spent.map(factRow))} AS "new"
    ON CONFLICT ("runId", "clientId", "round", "unit", "attempt") DO UPDATE SET "voided" = false)`
  const voided = Prisma.sql`refunded AS (
    UPDATE ${EVENT} SET "voided" = true FROM moved
    WHERE "runId" = ${runId}::uuid AND "round" = ${round} AND "attempt" = 1 AND "unit" = ANY(${SITE_LEVEL.in})
      AND "clientId" = ANY(${[...refunded]}::uuid[]))`
  return [...(spent.length > 0 ? [charged] : []), ...(refunded.length > 0 ? [voided] : [])]
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
