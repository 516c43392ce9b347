/// <reference path="./fs-native-extensions.d.ts" />
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { FedsvdError } from '@fedsvd/core/errors'
import { tryLock } from 'fs-native-extensions'
import { atFile } from '../at-file.ts'

/** Disposing gives the lock back; doing it twice does no harm. */
export type FileLock = Disposable

/**
 * Takes the exclusive lock of a file, which is made if need be, or refuses at once.
 *
 * It is a lock of the operating system on an open file (`fcntl` on Linux, `flock` on macOS, `LockFileEx` on Windows).
 * The kernel lets go of it when the process ends, however it ends: it is never stale, no process number has to be
 * trusted, and nobody waits after a SIGKILL. It excludes a second opening in the same process too. The number written
 * into the file only tells people whom to look for. The file itself is never removed: removing a lock file is how two
 * processes get a lock each.
 *
 * @throws what `refusal` makes of the holder: "process 123", or "another process" where it cannot be read
 */
export function lockFile(path: string, refusal: (holder: string) => FedsvdError): FileLock {
  for (;;) {
    const fd = openSync(path, 'a+', 0o600)
    if (!lockOrClose(fd, path)) throw refusal(holderOf(path))
    // Somebody may have removed or replaced the file between the opening and the lock: that lock would exclude nobody.
    if (!isStillAt(fd, path)) {
      closeSync(fd)
      continue
    }
    atFile(path, () => {
      ftruncateSync(fd)
      writeSync(fd, `${process.pid}\n`)
    })
    return held(fd)
  }
}

/** Far behind the end of any file, so that a system whose locks are binding still lets everybody read and write it. */
const BEYOND_THE_END = 2 ** 40

/**
 * Locks a file that holds data, beside the lock file: that one can be removed while it is held, and the next process
 * would make and lock another. What holds the data cannot be removed by mistake without a sign of it. Nothing is
 * written.
 *
 * @throws what `refusal` makes of the holder
 */
export function lockData(path: string, refusal: (holder: string) => FedsvdError): FileLock {
  const fd = openSync(path, 'r+')
  if (!lockOrClose(fd, path, BEYOND_THE_END)) throw refusal('another process')
  return held(fd)
}

/**
 * False when another opening has the lock. @throws FedsvdError STORAGE_UNAVAILABLE where the file system has no locks
 */
function lockOrClose(fd: number, path: string, offset = 0): boolean {
  let isLocked = false
  try {
    isLocked = tryLock(fd, offset, offset === 0 ? 0 : 1)
    return isLocked
  } catch (cause) {
    throw new FedsvdError(
      'STORAGE_UNAVAILABLE',
      {
        expected: `a file system with locks for ${path}`,
        got: cause instanceof Error ? cause.message : String(cause),
        remedy: 'Keep this folder on a local disk, or mount the network file system with locking.',
      },
      { cause },
    )
  } finally {
    if (!isLocked) closeSync(fd)
  }
}

function isStillAt(fd: number, path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true })
  const { ino, dev } = fstatSync(fd, { bigint: true })
  return found?.ino === ino && found.dev === dev
}

function held(fd: number): FileLock {
  let isHeld = true
  return {
    [Symbol.dispose]() {
      if (isHeld) closeSync(fd) // once: the number may be another file's by then
      isHeld = false
    },
  }
}

/** Windows lets nobody read a locked file; the holder then stays unnamed. */
function holderOf(path: string): string {
  try {
    const holder = readFileSync(path, 'utf8').trim()
    return /^\d+$/.test(holder) ? `process ${holder}` : 'another process'
  } catch {
    return 'another process'
  }
}
