/// <reference path="./fs-native-extensions.d.ts" />
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { FedsvdError } from '@fedsvd/core/errors'
import { tryLock } from 'fs-native-extensions'

/** Disposing gives the lock back; doing it twice does no harm. */
export type FileLock = Disposable

/**
 * Takes the exclusive lock of a file, which is made if need be, or refuses at once.
 *
 * It is a lock of the operating system on an open file (`fcntl` on Linux, `flock` on macOS, `LockFileEx` on Windows). The
 * kernel lets go of it when the process ends, however it ends: it is never stale, no process number has to be trusted, and
 * nobody waits after a SIGKILL. It excludes a second opening in the same process too. The number written into the file only
 * tells people whom to look for. The file itself is never removed: removing a lock file is how two processes get a lock each.
 *
 * @throws what `refusal` makes of the holder: "process 123", or "another process" where it cannot be read
 */
export function lockFile(path: string, refusal: (holder: string) => FedsvdError): FileLock {
  const fd = openSync(path, 'a+', 0o600)
  if (!tryLock(fd)) {
    closeSync(fd)
    throw refusal(holderOf(path))
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  let held = true
  return {
    [Symbol.dispose]() {
      if (held) closeSync(fd) // once: the number may be another file's by then
      held = false
    },
  }
}

/** Windows lets nobody read a locked file; the holder then stays unnamed. */
function holderOf(path: string): string {
  try {
    const holder = readFileSync(path, 'utf8').trim()
    return holder === '' ? 'another process' : `process ${holder}`
  } catch {
    return 'another process'
  }
}
