/// <reference path="./fs-native-extensions.d.ts" />
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { FedsvdError } from '@fedsvd/core/errors'
import { tryLock } from 'fs-native-extensions'

/**
 * Takes the exclusive lock of a ledger, or refuses at once.
 *
 * It is a lock of the operating system on an open file (`fcntl` on Linux, `flock` on macOS, `LockFileEx` on Windows). The
 * kernel lets go of it when the process ends, however it ends: it is never stale, no process number has to be trusted, and
 * nobody waits after a SIGKILL. It excludes a second opening in the same process too. The number written into the file only
 * tells people whom to look for. The file itself is never removed: removing a lock file is how two processes get a lock each.
 *
 * @throws FedsvdError LEDGER_LOCKED naming the holder's process number
 */
export function lockLedger(path: string): Disposable {
  const fd = openSync(path, 'a+', 0o600)
  if (!tryLock(fd)) {
    closeSync(fd)
    throw locked(path)
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  return {
    [Symbol.dispose]() {
      closeSync(fd)
    },
  }
}

/** Windows lets nobody read a locked file; the holder then stays unnamed. */
function holderOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

function locked(path: string): FedsvdError {
  const holder = holderOf(path)
  return new FedsvdError('LEDGER_LOCKED', {
    expected: 'to be the only process that spends the budget of this data set',
    got: holder === '' ? `another process that holds ${path}` : `process ${holder}, which holds ${path}`,
    remedy: 'Stop the other client, or give this one other data.',
  })
}
