import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { freshDatabase, postgresAnswers, temporaryFolder } from '@fedsvd/testing/server'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { applyMigrations } from './migrate.ts'

/** A database and a folder of migrations. */
async function place() {
  const [database, folder] = [await freshDatabase(), await temporaryFolder()]
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(database.url)
    await client.connect()
    return client
  }
  const client = await connect()
  return {
    client,
    connect,
    folder: folder.path,
    async add(name: string, sql: string): Promise<void> {
      await mkdir(path.join(folder.path, name), { recursive: true })
      await writeFile(path.join(folder.path, name, 'migration.sql'), sql)
    },
    rows: async () => (await client.query('SELECT * FROM "_prisma_migrations" ORDER BY started_at')).rows,
    async [Symbol.asyncDispose]() {
      await client.end()
      await database[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(!(await postgresAnswers()))('migrations', () => {
  it('are applied in order, once, and recorded as Prisma records them', async () => {
    await using at = await place()
    await at.add('2_second', 'ALTER TABLE thing ADD COLUMN name TEXT')
    await at.add('1_first', 'CREATE TABLE thing (id INT); INSERT INTO thing VALUES (1);')
    expect(await applyMigrations(at.client, at.folder)).toEqual(['1_first', '2_second'])
    expect(await applyMigrations(at.client, at.folder)).toEqual([])
    const rows = await at.rows()
    expect(rows).toMatchObject([
      { migration_name: '1_first', applied_steps_count: 1, rolled_back_at: null, logs: null },
      { migration_name: '2_second', applied_steps_count: 1, rolled_back_at: null, logs: null },
    ])
    for (const { checksum, finished_at } of rows) {
      expect(checksum).toMatch(/^[0-9a-f]{64}$/)
      expect(finished_at).toBeInstanceOf(Date)
    }
  })

  it('are applied once when several coordinators start together', async () => {
    await using at = await place()
    await at.add('1_first', 'CREATE TABLE thing (id INT)')
    const others = await Promise.all([at.connect(), at.connect(), at.connect()])
    const applied = await Promise.all(others.map((client) => applyMigrations(client, at.folder)))
    expect(applied.flat()).toEqual(['1_first'])
    for (const client of others) await client.end()
  })

  it('are undone as a whole when they fail, and can be corrected', async () => {
    await using at = await place()
    await at.add('1_first', 'CREATE TABLE thing (id INT); SELECT nonsense')
    await expect(applyMigrations(at.client, at.folder)).rejects.toThrow(
      /MIGRATION_FAILED: expected migration 1_first.*nonsense/,
    )
    expect(await at.rows()).toMatchObject([
      { finished_at: null, rolled_back_at: expect.any(Date), logs: expect.stringMatching(/nonsense/) },
    ])
    await at.add('1_first', 'CREATE TABLE thing (id INT)')
    expect(await applyMigrations(at.client, at.folder)).toEqual(['1_first'])
  })

  it('refuse migrations that this release does not know, or that were edited', async () => {
    await using at = await place()
    await at.add('1_first', 'CREATE TABLE thing (id INT)')
    await applyMigrations(at.client, at.folder)
    await at.add('1_first', 'CREATE TABLE thing (id INT, name TEXT)')
    await expect(applyMigrations(at.client, at.folder)).rejects.toThrow(/MIGRATION_FAILED: .*an edited file/)
    await using empty = await temporaryFolder()
    await expect(applyMigrations(at.client, empty.path)).rejects.toThrow(
      /MIGRATION_FAILED: .*no newer than this release/,
    )
  })

  it('leave an audit log that only grows', async () => {
    await using at = await place()
    await applyMigrations(at.client, path.resolve(import.meta.dirname, '../../../../../../prisma/migrations'))
    await at.client.query(
      `INSERT INTO "AuditEntry" VALUES (1, now(), 'somebody', 'run.create', 'run', '{}', 'genesis', 'hash')`,
    )
    const changes = [`UPDATE "AuditEntry" SET actor = 'nobody'`, 'DELETE FROM "AuditEntry"', 'TRUNCATE "AuditEntry"']
    for (const sql of changes) await expect(at.client.query(sql)).rejects.toThrow(/append-only/)
    expect((await at.client.query('SELECT actor FROM "AuditEntry"')).rows).toEqual([{ actor: 'somebody' }])
  })
})
