import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { makeFolder } from '@fedsvd/engine/files'

/** What a folder is known by: it is moved last, so that a folder with it is whole. */
const MOVED_LAST = ['database', 'backup.json']

/**
 * Fills a folder that appears under its name only when all of it is on the disk: it is made beside it, and renamed at
 * the end. Where filling fails nothing is left behind.
 *
 * A folder that cannot be replaced, such as the root of a volume, is filled from a folder inside it, whose entries are
 * moved up at the end, one right after the other.
 *
 * @throws FedsvdError FOLDER_IN_USE when something is in the folder already
 */
export async function fillFolder(
  target: string,
  fill: (draft: string) => Promise<void>,
  isReplaceable = canBeReplaced,
): Promise<void> {
  await requireEmpty(target)
  const isInside = !(await isReplaceable(target))
  const parent = isInside ? target : path.dirname(target)
  makeFolder(parent)
  const draftName = `.${path.basename(target)}.${randomUUID()}`
  const draft = path.join(parent, draftName)
  await mkdir(draft, { mode: 0o700 })
  try {
    await fill(draft)
    await syncFolders(draft)
    await requireEmpty(target, draftName)
    if (isInside) await moveUp(draft, target)
    else await rename(draft, target)
    await syncFolder(parent)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
}

/** False for the root of a mounted file system, and where nothing can be made beside the folder. */
async function canBeReplaced(target: string): Promise<boolean> {
  const own = await stat(target).catch(() => undefined)
  if (own === undefined) return true
  const parent = path.dirname(target)
  if ((await stat(parent)).dev !== own.dev) return false
  return await access(parent, constants.W_OK).then(
    () => true,
    () => false,
  )
}

async function moveUp(draft: string, target: string): Promise<void> {
  const names = (await readdir(draft)).sort((left, right) => MOVED_LAST.indexOf(left) - MOVED_LAST.indexOf(right))
  const moved: string[] = []
  try {
    for (const name of names) {
      await rename(path.join(draft, name), path.join(target, name))
      moved.push(name)
    }
    await rmdir(draft)
  } catch (error) {
    for (const name of moved) await rm(path.join(target, name), { recursive: true, force: true })
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

async function requireEmpty(folder: string, besides?: string): Promise<void> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const names = found.filter((name) => name !== besides)
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
