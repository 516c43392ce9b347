import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freshDatabase, placeEmbeddedDatabase, postgresAnswers, temporaryFolder } from '@fedsvd/testing/server'
import { expect, it } from 'vitest'
import { makeEmbeddedDatabase, openEmbeddedStore } from '../storage/records/embedded/index.ts'
import { openPostgresStore } from '../storage/records/postgres/index.ts'
import { decodeManifest } from './manifest.ts'
import { readRows } from './rows-file.ts'

/*
 * A backup that release 0.1.0 wrote (format 1) in the middle of the second round of three: every kind of row of its
 * schema. Later releases keep it and this test, and add their own.
 */
const BACKUP = fileURLToPath(new URL('../../../../packages/testing/src/server/fixtures/backup-0.1.0', import.meta.url))
const NAME_KEYS = '20261130020000_client_name_keys'

it('backup format 1: the rows come back, and those of the schema before are brought up to date', async () => {
  await using folder = await temporaryFolder()
  await placeEmbeddedDatabase(folder.path)
  const database = path.join(folder.path, 'database')
  const manifest = decodeManifest(await readFile(path.join(BACKUP, 'backup.json'), 'utf8'))
  const migrations = manifest.database.migrations.filter(({ name }) => name !== NAME_KEYS)
  expect(manifest.database.migrations.length - migrations.length).toBe(1)
  async function* before() {
    for await (const { table, rows } of readRows(path.join(BACKUP, 'database.rows')))
      yield { table, rows: table === 'Client' ? rows.replaceAll(/,"nameKey":"[^"]*"/g, '') : rows }
  }
  await makeEmbeddedDatabase(database, { ...manifest.database, migrations, objects: manifest.objects }, before())
  await using store = await openEmbeddedStore(database, () => {})
  const clients = await store.clients.list()
  expect(clients.map(({ name }) => name)).toEqual(['site 0', 'site 1'])
  expect((await store.clients.namesakes('SITE 0')).map(({ name }) => name)).toEqual(['site 0'])
  expect(await store.clients.caps()).toMatchObject([{ epsilon: 50, delta: 1e-5 }])
  const [run] = await store.runs.list()
  const { runId } = run!.manifest
  expect(run!.state).toBe('running')
  expect(await store.rounds.publishedCount(runId)).toBe(1)
  expect(
    (await store.ledger.facts(runId, clients[0]!.id, 0)).map(({ round, event }) => [round, event.noiseMultiplier]),
  ).toEqual([
    [0, 2],
    [1, 2],
  ])
  expect((await store.audit.page(0, 100)).map(({ action }) => action)).toContain('client.enrol')
  // sequences and the chain go on
  await store.audit.append({ at: 0, actor: 'test', action: 'test', object: 'test', detail: {} })
  await store.alerts.add({ runId, code: 'QUORUM_MISSED', message: 'test', at: 0 })
}, 60_000)

it.each<[string, { table?: string; rows?: string; sequence?: string }, RegExp]>([
  ['the catalogue of PostgreSQL', { table: 'pg_authid', rows: '[{"rolname":"x"}]' }, /a table "pg_authid"/],
  ['sessions', { table: 'OperatorSession', rows: '[]' }, /a table "OperatorSession"/],
  ['migrations', { table: '_prisma_migrations', rows: '[]' }, /a table "_prisma_migrations"/],
  ['a column that there is not', { table: 'Alert', rows: '[{"id":1,"evil":"x"}]' }, /a column "evil" of "Alert"/],
  ['a foreign sequence', { sequence: 'pg_class' }, /a sequence "pg_class"/],
])(
  'takes nothing of a backup that is not of the schema: %s',
  async (_, { table, rows, sequence }, refusal) => {
    await using folder = await temporaryFolder()
    await placeEmbeddedDatabase(folder.path)
    const manifest = decodeManifest(await readFile(path.join(BACKUP, 'backup.json'), 'utf8'))
    const { database, objects } = manifest
    async function* forged() {
      if (table !== undefined) yield { table, rows: rows! }
    }
    const dump = {
      ...database,
      objects,
      tables: table === undefined ? [] : [{ name: table, rows: (JSON.parse(rows!) as unknown[]).length }],
      sequences: sequence === undefined ? [] : [{ name: sequence, value: 1 }],
    }
    const making = makeEmbeddedDatabase(path.join(folder.path, 'database'), dump, forged())
    await expect(making).rejects.toThrow(refusal)
    await expect(making).rejects.toMatchObject({ code: 'BACKUP_INVALID' })
  },
  60_000,
)

const hasTools = (() => {
  try {
    execFileSync('pg_dump', ['--version'])
    return true
  } catch {
    return false
  }
})()

it.skipIf(!hasTools || !(await postgresAnswers()))(
  'PostgreSQL: pg_dump and pg_restore, as the how-to has them',
  async () => {
    await using folder = await temporaryFolder()
    await using before = await freshDatabase()
    await using after = await freshDatabase()
    const client = { id: 'c1a7e5f0-0000-4000-8000-000000000001', name: 'north', publicKey: 'key', enrolledAt: 0 }
    {
      await using store = await openPostgresStore(before.url)
      await store.clients.addTokens([{ hash: 'token', createdAt: 0, expiresAt: 10 }])
      await store.clients.enrol('token', client, { at: 0, actor: 'a', action: 'enrol', object: 'o', detail: {} })
    }
    const file = path.join(folder.path, 'fedsvd.dump')
    execFileSync('pg_dump', ['--format=custom', `--file=${file}`, before.url])
    execFileSync('pg_restore', [`--dbname=${after.url}`, '--no-owner', file])
    await using store = await openPostgresStore(after.url)
    expect(await store.clients.find(client.id)).toEqual(client)
    await store.audit.append({ at: 0, actor: 'a', action: 'b', object: 'o', detail: {} })
    expect(await store.audit.page(0, 10)).toHaveLength(2)
  },
  60_000,
)
