/// <reference path="./fs-native-extensions.d.ts" />
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { FedsvdError } from '@fedsvd/core/errors'
import { tryLock } from 'fs-native-extensions'

/**
 * Claims a folder for this process, or refuses at once.
 *
 * It is a lock of the operating system on an open file, which ends with the process however that ends: it is never stale,
 * so there is nothing to take over and no race in which two processes take it over. The number in the file only tells
 * people whom to look for. The file is never removed: removing a lock file is how two processes get a lock each.
 *
 * @returns a function that gives the lock back
 * @throws FedsvdError DATABASE_LOCKED naming the process that holds it
 */
export function takeLock(file: string): () => void {
  const fd = openSync(file, 'a+', 0o600)
  if (!tryLock(fd)) {
    closeSync(fd)
    throw locked(file)
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  let held = true
  return () => {
    if (held) closeSync(fd) // once: the number may be another file's by then
    held = false
  }
}

/** Windows lets nobody read a locked file; the holder then stays unnamed. */
function holderOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim() || 'unknown'
  } catch {
    return 'unknown'
  }
}

function locked(file: string): FedsvdError {
  return new FedsvdError('DATABASE_LOCKED', {
    expected: 'an embedded database that no other process uses',
    got: `${file}, held by process ${holderOf(file)}`,
    remedy: 'Stop that coordinator, choose another state folder, or set DATABASE_URL to use PostgreSQL.',
  })
}
