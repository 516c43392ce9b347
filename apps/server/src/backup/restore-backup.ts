import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { isRunOver } from '@fedsvd/core/protocol'
import { makeEmbeddedDatabase, openEmbeddedStore } from '../storage/records/embedded/index.ts'
import type { AuditDraft, Store } from '../storage/records/index.ts'
import { fillFolder, writeFileSynced } from './draft-folder.ts'
import { type BackupManifest, decodeManifest, invalid, MANIFEST_FILE, ROWS_FILE } from './manifest.ts'
import { hashOf, hashOfFile, readRows } from './rows-file.ts'
import { type BackupProgress, copyObjects, SECRET_FILES } from './take-backup.ts'

export interface RestoreReport {
  readonly stateDir: string
  /** When the backup was made, and by which release. */
  readonly createdAt: string
  readonly release: string
  readonly rows: number
  readonly objects: number
  /** Runs that had not ended: operators are told in each of them. */
  readonly openRuns: number
}

/**
 * Makes the state folder of a coordinator from a backup. Everything is held against its hash; the folder is there as a
 * whole or not at all. Enrolment tokens of the backup are no longer valid, as they may have been used since, and all
 * operator sessions have ended.
 *
 * @throws FedsvdError FOLDER_IN_USE, BACKUP_INVALID, WRITTEN_BY_NEWER
 */
export async function restoreBackup(
  folder: string,
  stateDir: string,
  onProgress: (progress: BackupProgress) => void = () => {},
): Promise<RestoreReport> {
  const manifest = await readManifest(folder)
  let openRuns = 0
  await fillFolder(path.resolve(stateDir), async (draft) => {
    await requireIntact(folder, manifest)
    for (const { name } of manifest.files)
      await writeFileSynced(path.join(draft, name), await readFile(path.join(folder, name)))
    const objects = { read: (sha256: string) => readObject(folder, sha256) }
    await copyObjects(manifest.objects, objects, path.join(draft, 'blobs'), onProgress)
    const dump = { ...manifest.database, objects: manifest.objects }
    const database = path.join(draft, 'database')
    await makeEmbeddedDatabase(database, dump, readRows(path.join(folder, ROWS_FILE)))
    await using store = await openEmbeddedStore(database, () => {})
    openRuns = await noteRestore(store, manifest, Date.now())
  })
  const { createdAt, release, database, objects } = manifest
  const rows = database.tables.reduce((sum, table) => sum + table.rows, 0)
  return { stateDir: path.resolve(stateDir), createdAt, release, rows, objects: objects.length, openRuns }
}

async function readManifest(folder: string): Promise<BackupManifest> {
  const text = await readFile(path.join(folder, MANIFEST_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') throw invalid(`no ${MANIFEST_FILE} in ${folder}`)
    throw error
  })
  return decodeManifest(text)
}

/** Looks at everything that is not looked at while it is copied, before anything is made of it. */
async function requireIntact(folder: string, { database, files }: BackupManifest): Promise<void> {
  const rows = path.join(folder, ROWS_FILE)
  const found = await stat(rows).catch(absent)
  if (found?.size !== database.bytes)
    throw invalid(`${found?.size ?? 'no'} bytes of rows, where ${database.bytes} were written`)
  if ((await hashOfFile(rows)) !== database.sha256) throw invalid('other rows than were written')
  for (const { name, sha256 } of files) {
    if (!(SECRET_FILES as readonly string[]).includes(name)) throw invalid(`a file ${name} that no backup has`)
    const content = await readFile(path.join(folder, name)).catch(absent)
    if (content === undefined || hashOf(content) !== sha256) throw invalid(`another ${name} than was written`)
  }
}

/** What is not there is a fault of the backup; anything else is one of this machine, and is told as such. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}

async function readObject(folder: string, sha256: string): Promise<Uint8Array> {
  const content = await readFile(path.join(folder, 'objects', sha256.slice(0, 2), sha256)).catch(absent)
  if (content !== undefined && hashOf(content) === sha256) return content
  throw invalid(`${content === undefined ? 'no' : 'another'} object ${sha256}`)
}

/** What was true when the backup was made and may not be now. @returns how many runs had not ended */
async function noteRestore(store: Store, { createdAt, objects }: BackupManifest, now: number): Promise<number> {
  const audit: AuditDraft = {
    at: now,
    actor: 'coordinator',
    action: 'coordinator.restore',
    object: 'coordinator',
    detail: { backupOf: createdAt, objects: objects.length },
  }
  await store.clients.expireTokens(now)
  const open = (await store.runs.list()).filter(({ state }) => !isRunOver(state))
  const message =
    `the coordinator was restored from a backup of ${createdAt}. Later rounds are not known here; sites that ` +
    'made them report what they spent, and do not make them again. Revoke again every client that was revoked since.'
  for (const { manifest } of open) {
    await store.alerts.add({ runId: manifest.runId, code: 'COORDINATOR_RESTORED', message, at: now })
  }
  await store.audit.append(audit)
  return open.length
}
