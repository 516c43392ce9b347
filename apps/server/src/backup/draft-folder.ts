import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { makeFolder } from '@fedsvd/engine/files'

/**
 * Fills a folder that appears under its name only when all of it is on the disk: it is made beside it, and renamed at
 * the end. Where filling fails nothing is left behind.
 *
 * @throws FedsvdError FOLDER_IN_USE when something is in the folder already
 */
export async function fillFolder(target: string, fill: (draft: string) => Promise<void>): Promise<void> {
  await requireEmpty(target)
  const parent = path.dirname(target)
  makeFolder(parent)
  const draft = path.join(parent, `.${path.basename(target)}.${randomUUID()}`)
  await mkdir(draft, { mode: 0o700 })
  try {
    await fill(draft)
    await syncFolders(draft)
    await requireEmpty(target)
    await rename(draft, target)
    await syncFolder(parent)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
}

/** Writes a file that only its owner may read, onto the disk. */
export async function writeFileSynced(file: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function requireEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return
  throw new FedsvdError('FOLDER_IN_USE', {
    expected: `${folder} to be empty, or not there`,
    got: `${names.length} files in it, such as ${names[0]}`,
    remedy: 'Name another folder; nothing was changed.',
  })
}

async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(path.join(folder, entry.name))
  }
  await syncFolder(folder)
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
