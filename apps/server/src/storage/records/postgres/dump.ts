import { FedsvdError, writtenByNewer } from '@fedsvd/core/errors'
import type pg from 'pg'
import type { DatabaseDump, WriteRows } from '../dump.ts'

/** Runs one statement and gives its rows. */
type Query = <R>(sql: string) => Promise<readonly R[]>

/** Tables of live connections and of sessions, which are not part of a backup. */
const LEFT_OUT = ['Connection', 'Coordinator', 'OperatorSession', 'RunLease', 'SpentNonce', 'socket_io_attachments']
const MIGRATIONS = '_prisma_migrations'
const ROWS_AT_ONCE = 500

/** Objects that a row names: states, and updates that a round may still count. As `prismaReferences` has it. */
const NEEDED = `SELECT DISTINCT "sha256" FROM (
  SELECT "sha256" FROM "Adapter" WHERE "retiredAt" IS NULL
  UNION ALL
  SELECT u."sha256" FROM "Update" u
  JOIN "Round" r ON r."runId" = u."runId" AND r."number" = u."countedIn"
  JOIN "Run" ON "Run"."id" = r."runId"
  WHERE r."phase" <> 'published' AND "Run"."endedAt" IS NULL
) AS named ORDER BY 1`

/**
 * Writes every row as JSON, in the words of PostgreSQL itself, so that numbers and times come back to the last digit.
 * To be run in one transaction that sees one state of the database (REPEATABLE READ).
 */
export async function dumpDatabase(query: Query, write: WriteRows): Promise<DatabaseDump> {
  const found = await query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`,
  )
  const tables: { name: string; rows: number }[] = []
  for (const { name } of found) {
    if (name === MIGRATIONS || LEFT_OUT.includes(name)) continue
    let rows = 0
    await query(`DECLARE "dump" NO SCROLL CURSOR FOR SELECT to_json(t)::text AS "row" FROM "${name}" t`)
    for (;;) {
      const batch = await query<{ row: string }>(`FETCH ${ROWS_AT_ONCE} FROM "dump"`)
      if (batch.length === 0) break
      rows += batch.length
      await write(name, `[${batch.map(({ row }) => row).join(',')}]`)
    }
    await query('CLOSE "dump"')
    tables.push({ name, rows })
  }
  const migrations = await query<{ name: string; checksum: string }>(
    `SELECT migration_name AS name, checksum FROM "${MIGRATIONS}" WHERE finished_at IS NOT NULL ORDER BY migration_name`,
  )
  const sequences = await query<{ name: string; value: string }>(
    `SELECT sequencename AS name, last_value::text AS value FROM pg_sequences
     WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY sequencename`,
  )
  const needed = await query<{ sha256: string }>(NEEDED)
  return {
    migrations: [...migrations],
    tables,
    sequences: sequences.map(({ name, value }) => ({ name, value: Number(value) })),
    objects: needed.map(({ sha256 }) => sha256),
  }
}

/**
 * Puts the rows of a dump into tables that are empty, of the schema that the dump was made of. The dump
 * names tables, columns and sequences, so none is accepted that a dump of this schema does not have.
 *
 * @throws FedsvdError BACKUP_INVALID when there are others than the dump says, or than the schema has
 */
export async function loadDump(
  client: Pick<pg.Client, 'query'>,
  { tables, sequences }: Pick<DatabaseDump, 'tables' | 'sequences'>,
  rows: AsyncIterable<{ readonly table: string; readonly rows: string }>,
): Promise<void> {
  const named = new Set(tables.map(({ name }) => name))
  const schema = await schemaOf(client)
  const strange = tables.find(({ name }) => !schema.tables.has(name))
  if (strange !== undefined) throw otherRows(`a table "${strange.name}", which no backup has`)
  const sequence = sequences.find(({ name }) => !schema.sequences.has(name))
  if (sequence !== undefined) throw otherRows(`a sequence "${sequence.name}", which no backup has`)
  await client.query('BEGIN')
  await client.query(`SET LOCAL session_replication_role = replica`) // rows come in any order
  for await (const { table, rows: batch } of rows) {
    if (!named.has(table)) throw otherRows(`rows of "${table}"`)
    const column = await strangeColumn(client, batch, schema.tables.get(table)!)
    if (column !== undefined) throw otherRows(`a column "${column}" of "${table}"`)
    await client.query(`INSERT INTO "${table}" SELECT * FROM json_populate_recordset(NULL::"${table}", $1::json)`, [
      batch,
    ])
  }
  for (const { name, value } of sequences) await client.query('SELECT setval($1, $2)', [`"${name}"`, value])
  for (const { name, rows: expected } of tables) {
    const counted = await client.query<{ count: string }>(`SELECT count(*) FROM "${name}"`)
    const got = Number(counted.rows[0]!.count)
    if (got !== expected) throw otherRows(`${got} rows of "${name}", where ${expected} were written`)
  }
  await client.query('COMMIT')
}

/** What a dump of this database may hold: tables with their columns, and sequences. */
async function schemaOf(client: Pick<pg.Client, 'query'>) {
  const found = await client.query<{ table: string; column: string }>(
    `SELECT c.relname AS table, a.attname AS column FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped`,
  )
  const tables = new Map<string, string[]>()
  for (const { table, column } of found.rows)
    if (table !== MIGRATIONS && !LEFT_OUT.includes(table)) tables.set(table, [...(tables.get(table) ?? []), column])
  const sequences = await client.query<{ name: string }>(
    'SELECT sequencename AS name FROM pg_sequences WHERE schemaname = current_schema()',
  )
  return { tables, sequences: new Set(sequences.rows.map(({ name }) => name)) }
}

/** A key of the rows that is none of the columns. */
async function strangeColumn(
  client: Pick<pg.Client, 'query'>,
  rows: string,
  columns: readonly string[],
): Promise<string | undefined> {
  const { rows: found } = await client.query<{ key: string }>(
    `SELECT key FROM json_array_elements($1::json) AS r(row), json_object_keys(r.row) AS key WHERE key <> ALL ($2) LIMIT 1`,
    [rows, columns],
  )
  return found[0]?.key
}

/** @throws FedsvdError WRITTEN_BY_NEWER for a dump of migrations that this release does not have */
export function requireKnownMigrations(
  { migrations }: Pick<DatabaseDump, 'migrations'>,
  known: ReadonlyMap<string, string>,
): void {
  const foreign = migrations.find(({ name, checksum }) => known.get(name) !== checksum)
  if (foreign !== undefined) throw writtenByNewer('a backup of a database', [...known.keys()].at(-1)!, foreign.name)
}

function otherRows(got: string): FedsvdError {
  return new FedsvdError('BACKUP_INVALID', {
    expected: 'the rows that the backup says it has',
    got,
    remedy: 'Use another backup; nothing was restored.',
  })
}
