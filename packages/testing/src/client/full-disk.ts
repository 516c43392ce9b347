import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** A disk that is full until it is emptied: each write to a file stops half-way with ENOSPC. */
export interface FullDisk extends Disposable {
  empty(): void
}

/** @param leave so many writes that there is room for */
export function fullDisk(leave = 0): FullDisk {
  const real = fs.writeSync
  let left = leave
  const write = (fd: number, bytes: Uint8Array, from = 0): number => {
    left -= 1
    if (left >= 0) return real(fd, bytes, from)
    real(fd, bytes, from, Math.floor((bytes.length - from) / 2))
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
  }
  const use = (writeSync: typeof fs.writeSync): void => {
    fs.writeSync = writeSync
    syncBuiltinESMExports()
  }
  use(write as typeof fs.writeSync)
  return { empty: () => use(real), [Symbol.dispose]: () => use(real) }
}
