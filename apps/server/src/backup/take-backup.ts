import { copyFile, mkdir, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { CoordinatorConfig } from '../config.ts'
import { type BlobStore, openBlobs } from '../storage/objects/index.ts'
import { dumpEmbeddedDatabase } from '../storage/records/embedded/index.ts'
import type { DatabaseDump } from '../storage/records/index.ts'
import { VERSION } from '../version.ts'
import { askRunning } from './control.ts'
import { fillFolder, writeFileSynced } from './draft-folder.ts'
import { BACKUP_FORMAT, type BackupManifest, encodeManifest, MANIFEST_FILE, ROWS_FILE } from './manifest.ts'
import { hashOf, hashOfFile, type RowsFile, writeRows } from './rows-file.ts'

/**
 * Secrets of the state folder that a restored coordinator goes on with. The key of the upload tokens is not among them:
 * tokens that were given out after the backup was made are invalid afterwards.
 */
export const SECRET_FILES = ['operator.token', 'statement.key'] as const

/** How far a backup or a restore is. */
export interface BackupProgress {
  readonly objects: number
  readonly of: number
}

export interface BackupReport {
  readonly folder: string
  readonly createdAt: string
  readonly rows: number
  readonly objects: number
  readonly objectBytes: number
  /** Names of the secrets in it. */
  readonly secrets: readonly string[]
  /** True when a coordinator was running on the state folder. */
  readonly whileRunning: boolean
}

/**
 * Makes a backup of a coordinator with an embedded database: the rows as they were at one moment, every object that
 * they need, and the secrets of the state folder. Rows come first and objects after them; a running coordinator removes
 * none meanwhile.
 *
 * @throws FedsvdError FOLDER_IN_USE, CONFIG_INVALID (no embedded database, or a folder in the state folder),
 *   DATABASE_LOCKED, OBJECT_MISSING
 */
export async function takeBackup(
  config: CoordinatorConfig,
  target: string,
  onProgress: (progress: BackupProgress) => void = () => {},
): Promise<BackupReport> {
  requireEmbedded(config)
  const { stateDir } = config
  requireOutside(path.resolve(stateDir), path.resolve(target))
  let report: BackupReport | undefined
  await fillFolder(path.resolve(target), async (draft) => {
    await using running = await askRunning(stateDir)
    const rowsFile = path.join(draft, ROWS_FILE)
    const dumped = running === undefined ? await dumpAlone(stateDir, rowsFile) : await copyRows(running, rowsFile)
    const blobs = await openBlobs(config)
    const objectBytes = await copyObjects(dumped.objects, blobs, path.join(draft, 'objects'), onProgress)
    const files = await copySecrets(stateDir, draft)
    const { objects, bytes, sha256, migrations, tables, sequences } = dumped
    const manifest: BackupManifest = {
      format: BACKUP_FORMAT,
      createdAt: new Date().toISOString(),
      release: VERSION,
      database: { migrations: [...migrations], tables: [...tables], sequences: [...sequences], bytes, sha256 },
      objects: [...objects],
      files,
    }
    await writeFileSynced(path.join(draft, MANIFEST_FILE), encodeManifest(manifest))
    report = {
      folder: path.resolve(target),
      createdAt: manifest.createdAt,
      rows: tables.reduce((sum, { rows }) => sum + rows, 0),
      objects: objects.length,
      objectBytes,
      secrets: files.map(({ name }) => name),
      whileRunning: running !== undefined,
    }
  })
  return report!
}

function requireEmbedded({ databaseUrl }: CoordinatorConfig): void {
  if (databaseUrl === undefined) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a coordinator with an embedded database',
    got: 'DATABASE_URL, which names PostgreSQL',
    remedy: 'Use pg_dump and copy the objects after it: see docs/how-to/back-up-and-restore.md.',
  })
}

/** A backup would be lost with what it is of. */
function requireOutside(stateDir: string, target: string): void {
  if (target !== stateDir && !target.startsWith(stateDir + path.sep)) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a folder outside the state folder for the backup',
    got: `${target} in ${stateDir}`,
    remedy: 'Name a folder elsewhere, best on another disk.',
  })
}

function dumpAlone(stateDir: string, file: string): Promise<DatabaseDump & RowsFile> {
  return writeRows(file, (write) => dumpEmbeddedDatabase(path.join(stateDir, 'database'), write))
}

async function copyRows(
  { file, dump }: { readonly file: string; readonly dump: DatabaseDump & RowsFile },
  target: string,
): Promise<DatabaseDump & RowsFile> {
  await copyFile(file, target)
  const handle = await open(target, 'r+')
  await handle.chmod(0o600)
  await handle.sync()
  await handle.close()
  if ((await hashOfFile(target)) === dump.sha256) return dump
  throw new FedsvdError('STORAGE_UNAVAILABLE', {
    expected: 'the rows as they were written',
    got: 'a copy with another SHA-256',
    remedy: 'Check the disk and begin anew.',
  })
}

/** Copies objects by their names, each held against its hash. @returns their bytes */
export async function copyObjects(
  names: readonly string[],
  from: Pick<BlobStore, 'read'>,
  folder: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<number> {
  await mkdir(folder, { mode: 0o700 })
  let bytes = 0
  for (const [index, name] of names.entries()) {
    const content = await from.read(name).catch((error: unknown) => {
      throw isFedsvdError(error, 'BLOB_NOT_FOUND') || isFedsvdError(error, 'FRAME_CHECKSUM')
        ? missing(name, error)
        : error
    })
    const shard = path.join(folder, name.slice(0, 2))
    await mkdir(shard, { recursive: true, mode: 0o700 })
    await writeFileSynced(path.join(shard, name), content)
    bytes += content.length
    onProgress({ objects: index + 1, of: names.length })
  }
  return bytes
}

async function copySecrets(stateDir: string, draft: string): Promise<BackupManifest['files']> {
  const files: BackupManifest['files'] = []
  for (const name of SECRET_FILES) {
    const content = await readFile(path.join(stateDir, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined // it comes from the environment
      throw error
    })
    if (content === undefined) continue
    await writeFileSynced(path.join(draft, name), content)
    files.push({ name, sha256: hashOf(content) })
  }
  return files
}

function missing(name: string, cause: unknown): FedsvdError {
  return new FedsvdError(
    'OBJECT_MISSING',
    {
      expected: `the stored object ${name}, which the database needs`,
      got: isFedsvdError(cause, 'BLOB_NOT_FOUND') ? 'no such object' : 'bytes with another SHA-256',
      remedy: 'Restore it from an earlier backup (objects/, under this name), or end the run that needs it.',
    },
    { cause },
  )
}
