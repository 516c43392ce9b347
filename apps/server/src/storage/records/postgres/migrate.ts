import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { ClientBase } from 'pg'

/** The lock that Prisma's own migration engine takes, so that neither runs beside the other. */
const ADVISORY_LOCK = 72707369

const TABLE = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`

interface Migration {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

interface AppliedMigration {
  readonly migration_name: string
  readonly checksum: string
  readonly finished_at: Date | null
}

/**
 * Brings the database to the newest migration in `folder`, each migration in a transaction of its own, and keeps the
 * same `_prisma_migrations` rows that Prisma's command line writes. Starts of several coordinators wait for each other.
 *
 * @param only for the schema of an earlier release: the migrations that it had
 * @returns the names of the migrations applied now
 * @throws FedsvdError MIGRATION_FAILED when the history in the database and the folder differ, or a migration fails
 */
export async function applyMigrations(
  client: ClientBase,
  folder: string,
  only?: ReadonlySet<string>,
): Promise<readonly string[]> {
  const all = await readMigrations(folder)
  const migrations = only === undefined ? all : all.filter(({ name }) => only.has(name))
  await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK])
  try {
    await client.query(TABLE)
    const { rows } = await client.query<AppliedMigration>(
      'SELECT migration_name, checksum, finished_at FROM "_prisma_migrations" WHERE rolled_back_at IS NULL ORDER BY started_at',
    )
    const pending = pendingOf(migrations, rows)
    for (const migration of pending) await apply(client, migration)
    return pending.map(({ name }) => name)
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [ADVISORY_LOCK])
  }
}

/** The checksum of each migration of this release, by name. */
export async function knownMigrations(folder: string): Promise<ReadonlyMap<string, string>> {
  return new Map((await readMigrations(folder)).map(({ name, checksum }) => [name, checksum]))
}

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  return await Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(path.join(folder, name, 'migration.sql'))
      return { name, sql: sql.toString('utf8'), checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

function pendingOf(migrations: readonly Migration[], applied: readonly AppliedMigration[]): readonly Migration[] {
  const byName = new Map(migrations.map((migration) => [migration.name, migration]))
  for (const { migration_name: name, checksum, finished_at: finishedAt } of applied) {
    const migration = byName.get(name)
    if (migration === undefined) {
      throw failed(
        'a database no newer than this release',
        `migration ${name}, which it does not have`,
        'Run the release that applied it, or a newer one.',
      )
    }
    if (finishedAt === null) {
      throw failed(
        `migration ${name} to be finished`,
        'one that failed before',
        'Mark it with "prisma migrate resolve", or restore a backup.',
      )
    }
    if (migration.checksum !== checksum) {
      throw failed(
        `migration ${name} as it was applied`,
        'an edited file',
        'Restore the file; changes go into a new migration.',
      )
    }
  }
  const done = new Set(applied.map(({ migration_name: name }) => name))
  return migrations.filter(({ name }) => !done.has(name))
}

async function apply(client: ClientBase, { name, sql, checksum }: Migration): Promise<void> {
  const id = randomUUID()
  await client.query('INSERT INTO "_prisma_migrations" (id, checksum, migration_name) VALUES ($1, $2, $3)', [
    id,
    checksum,
    name,
  ])
  try {
    await client.query('BEGIN')
    await client.query(sql)
    await client.query('UPDATE "_prisma_migrations" SET finished_at = now(), applied_steps_count = 1 WHERE id = $1', [
      id,
    ])
    await client.query('COMMIT')
  } catch (cause) {
    await client.query('ROLLBACK')
    const message = cause instanceof Error ? cause.message : String(cause)
    await client.query('UPDATE "_prisma_migrations" SET logs = $2, rolled_back_at = now() WHERE id = $1', [id, message])
    throw new FedsvdError(
      'MIGRATION_FAILED',
      {
        expected: `migration ${name} to apply`,
        got: message,
        remedy: 'It was rolled back as a whole; correct the cause and start again.',
      },
      { cause },
    )
  }
}

function failed(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('MIGRATION_FAILED', { expected, got, remedy })
}
