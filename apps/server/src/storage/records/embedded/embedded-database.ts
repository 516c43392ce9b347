import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'
import { makeFolder } from '@fedsvd/engine/files'
import type { FileLock } from '@fedsvd/engine/files/locks'
import pg from 'pg'
import type { DatabaseDump, WriteRows } from '../dump.ts'
import {
  applyMigrations,
  dumpDatabase,
  knownMigrations,
  loadDump,
  MIGRATIONS,
  openPrismaStore,
  requireKnownMigrations,
  translateDatabaseError,
} from '../postgres/index.ts'
import type { Store } from '../store.ts'
import { checkTableFiles, databaseIsWhole, prepareDatabaseFolder } from './database-folder.ts'
import { lockDatabase, lockDatabaseFiles } from './lock-database.ts'

const PORT = 5432

/**
 * The store in a folder of this machine, for one coordinator. It survives the death of the process, not the loss of
 * power: PGlite does not flush its files. The socket lies in a folder that only its owner may enter. `onFailure` hears
 * of a database thread that dies later; every method then rejects with DATABASE_UNAVAILABLE.
 *
 * @throws FedsvdError DATABASE_LOCKED, DATABASE_DAMAGED, DATABASE_UNAVAILABLE or MIGRATION_FAILED
 */
export async function openEmbeddedStore(folder: string, onFailure: (error: Error) => void): Promise<Store> {
  const { connection, data, isNew, close } = await startDatabase(folder, onFailure)
  try {
    const check = async (client: pg.Client): Promise<void> => {
      if (!isNew) await checkTableFiles(data, client)
    }
    const store = await openPrismaStore(connection, close, { check, dumps: true })
    await databaseIsWhole(folder)
    return store
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Writes the rows of a database that no coordinator uses; its schema stays as it is, of whichever release that may be.
 *
 * @throws FedsvdError as {@link openEmbeddedStore}, and CONFIG_INVALID where there is no database
 */
export async function dumpEmbeddedDatabase(folder: string, write: WriteRows): Promise<DatabaseDump> {
  if (!existsSync(path.join(folder, 'data'))) throw noDatabase(folder)
  return await withClient(folder, async (client, data) => {
    await checkTableFiles(data, client)
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const query = async <R>(sql: string) => (await client.query(sql)).rows as R[]
    return await dumpDatabase(query, write)
  })
}

/** Makes a database of the rows of a dump in an empty folder, with the schema that they had. @throws as `loadDump` */
export async function makeEmbeddedDatabase(
  folder: string,
  dump: DatabaseDump,
  rows: AsyncIterable<{ readonly table: string; readonly rows: string }>,
): Promise<void> {
  requireKnownMigrations(dump, await knownMigrations(MIGRATIONS))
  await withClient(folder, async (client) => {
    await applyMigrations(client, MIGRATIONS, new Set(dump.migrations.map(({ name }) => name)))
    await loadDump(client, dump, rows)
  })
  await databaseIsWhole(folder)
}

async function withClient<T>(folder: string, use: (client: pg.Client, data: string) => Promise<T>): Promise<T> {
  const { connection, data, close } = await startDatabase(folder, () => {})
  const client = new pg.Client(connection)
  try {
    await client.connect()
    return await use(client, data)
  } catch (error) {
    throw translateDatabaseError(error)
  } finally {
    await client.end().catch(() => {})
    await close()
  }
}

function noDatabase(folder: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: `an embedded database in ${folder}`,
    got: 'a folder without one',
    remedy: 'Name the state folder of a coordinator with --state-dir; databases of PostgreSQL have tools of their own.',
  })
}

/** The database of a folder, held for this process alone, and how to reach it. */
async function startDatabase(folder: string, onFailure: (error: Error) => void) {
  makeFolder(folder)
  const steps: (() => unknown)[] = []
  const close = async (): Promise<void> => {
    for (const undo of steps.splice(0).reverse()) await undo()
  }
  const hold = (lock: FileLock): void => void steps.push(() => lock[Symbol.dispose]())
  try {
    hold(lockDatabase(path.join(folder, 'lock')))
    const { data, isNew } = await prepareDatabaseFolder(folder)
    if (!isNew) hold(lockDatabaseFiles(data))
    const socketFolder = await mkdtemp(path.join(tmpdir(), 'fedsvd-'))
    steps.push(() => rm(socketFolder, { recursive: true, force: true }))
    const worker = new Worker(new URL('./database-worker.mjs', import.meta.url), {
      workerData: { dataDir: data, listen: { path: path.join(socketFolder, `.s.PGSQL.${PORT}`) } },
    })
    steps.push(() => stop(worker))
    await started(worker)
    if (isNew) hold(lockDatabaseFiles(data))
    worker.on('error', onFailure)
    worker.unref()
    return { connection: connectionTo(socketFolder), data, isNew, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** PGlite is a single session, so there is a single connection, and queries wait for it in turn. */
function connectionTo(socketFolder: string): pg.PoolConfig {
  return { host: socketFolder, port: PORT, user: 'postgres', database: 'postgres', max: 1 }
}

async function started(worker: Worker): Promise<void> {
  try {
    // Both reject with the worker's error, if there is one.
    await Promise.race([
      once(worker, 'message'),
      once(worker, 'exit').then(([code]) => Promise.reject(new Error(`exit code ${code}`))),
    ])
  } catch (cause) {
    throw new FedsvdError(
      'DATABASE_UNAVAILABLE',
      {
        expected: 'the embedded database to start',
        got: cause instanceof Error ? cause.message : String(cause),
        remedy: 'Restore its folder from a backup, choose another state folder, or set DATABASE_URL.',
      },
      { cause },
    )
  }
}

async function stop(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return // it has ended already
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  worker.ref()
  worker.postMessage('stop')
  await exited
}
