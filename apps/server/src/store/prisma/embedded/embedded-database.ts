import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'
import { type FileLock, makeFolder } from '@fedsvd/engine/files'
import type pg from 'pg'
import type { Store } from '../../store.ts'
import { openPrismaStore } from '../prisma-store.ts'
import { checkTableFiles, databaseIsWhole, prepareDatabaseFolder } from './database-folder.ts'
import { lockDatabase, lockDatabaseFiles } from './lock-database.ts'

const PORT = 5432

/**
 * The store in a folder of this machine, for one coordinator. It survives the death of the process, not the loss of power:
 * PGlite does not flush its files. The socket lies in a folder that only its owner may enter. `onFailure` hears of a
 * database thread that dies later; every method then rejects with DATABASE_UNAVAILABLE.
 *
 * @throws FedsvdError DATABASE_LOCKED, DATABASE_DAMAGED, DATABASE_UNAVAILABLE or MIGRATION_FAILED
 */
export async function openEmbeddedStore(folder: string, onFailure: (error: Error) => void): Promise<Store> {
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
    const store = await openPrismaStore(connectionTo(socketFolder), close, async (client) => {
      if (!isNew) await checkTableFiles(data, client)
    })
    await databaseIsWhole(folder)
    return store
  } catch (error) {
    await close()
    throw error
  }
}

/** PGlite is a single session, so there is a single connection, and whoever needs it waits. */
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
