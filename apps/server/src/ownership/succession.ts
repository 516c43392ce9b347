import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { type FileLock, lockFile } from '@fedsvd/engine/files/locks'
import type { CoordinatorStore } from '../storage/records/index.ts'

const UUID = /^[0-9a-f-]{36}$/

/**
 * Releases at once what an earlier process on the same state folder still holds, so that a coordinator that has crashed
 * and is started again need not wait until its own leases expire. The file lock, which the operating system takes from
 * a dead process, proves that it is dead; where another process holds the lock, nothing is released.
 */
export async function releaseStaleInstance(
  stateDir: string,
  id: string,
  coordinators: Pick<CoordinatorStore, 'leave'>,
): Promise<Disposable> {
  const lock = lockOf(path.join(stateDir, 'coordinator.lock'))
  if (lock === undefined) return { [Symbol.dispose]: () => {} }
  const file = path.join(stateDir, 'coordinator.id')
  const earlier = await readFile(file, 'utf8').catch(() => '')
  if (UUID.test(earlier)) await coordinators.leave(earlier)
  await writeFile(file, id, { mode: 0o600 })
  return lock
}

function lockOf(file: string): FileLock | undefined {
  try {
    return lockFile(file, () => new FedsvdError('FOLDER_IN_USE', HELD))
  } catch {
    return undefined
  }
}

const HELD = {
  expected: 'a state folder of its own for each coordinator',
  got: 'one that another process uses',
  remedy: 'Give each coordinator a state folder of its own.',
}
