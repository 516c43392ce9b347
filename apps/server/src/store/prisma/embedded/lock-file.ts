import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { FedsvdError } from '@fedsvd/core/errors'
import { z } from 'zod'
import { isAlive, processIdentity } from './process-identity.ts'

const holderSchema = z.object({ pid: z.number().int().positive(), identity: z.string() })
type Holder = z.infer<typeof holderSchema>

const MOST_TAKEOVERS = 5

/**
 * Claims a folder for this process. The file appears with its content in one step, so nobody reads half of it; the lock
 * of a process that has died is taken over.
 *
 * @returns a function that gives the lock back
 * @throws FedsvdError DATABASE_LOCKED naming the process that holds it
 */
export async function takeLock(file: string): Promise<() => Promise<void>> {
  const own: Holder = { pid: process.pid, identity: processIdentity(process.pid) }
  const draft = `${file}.${process.pid}`
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 })
  try {
    for (let attempt = 0; attempt < MOST_TAKEOVERS; attempt += 1) {
      if (await linked(draft, file)) return () => rm(file, { force: true })
      const holder = await holderOf(file)
      if (holder !== undefined && isHeld(holder)) throw locked(file, holder)
      await removeStale(file, draft)
    }
  } finally {
    await rm(draft, { force: true })
  }
  throw locked(file, await holderOf(file))
}

async function linked(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Moves the lock away before it is removed: if it is somebody's fresh one by now, it is put back. */
async function removeStale(file: string, draft: string): Promise<void> {
  const grave = `${draft}.stale`
  try {
    await rename(file, grave)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return // another process was faster
    throw error
  }
  const holder = await holderOf(grave)
  if (holder !== undefined && isHeld(holder)) await linked(grave, file)
  await rm(grave, { force: true })
}

async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return undefined // gone, or not a lock of ours
  }
}

function isHeld({ pid, identity }: Holder): boolean {
  return isAlive(pid) && processIdentity(pid) === identity
}

function locked(file: string, holder: Holder | undefined): FedsvdError {
  return new FedsvdError('DATABASE_LOCKED', {
    expected: 'an embedded database that no other process uses',
    got: `${file}, held by process ${holder?.pid ?? 'unknown'}`,
    remedy: 'Stop that coordinator, choose another state folder, or set DATABASE_URL to use PostgreSQL.',
  })
}
