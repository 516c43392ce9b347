import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { atFile, makeFolder } from '@fedsvd/engine/files'
import { slicesOf } from './slices.ts'

/** Writes all of `bytes` at the end of an open file and returns only when they are on stable storage. */
export function appendDurably(fd: number, bytes: Uint8Array): void {
  let written = 0
  while (written < bytes.length) written += writeSync(fd, bytes, written)
  fsyncSync(fd)
}

/** Makes a folder that only its owner may enter, and every folder above it, durably. */
export function makeFolderDurably(folder: string): void {
  const first = makeFolder(folder)
  if (first === undefined) return // it was there
  for (let made = folder; made.length >= first.length; made = dirname(made)) syncFolder(dirname(made))
}

/** Replaces a file in one step: after a crash it is either the old one or the whole new one, never a part. */
export function writeFileDurably(path: string, bytes: Uint8Array, mode = 0o600): void {
  using file = beginFile(path, mode)
  file.append(bytes)
  file.putInPlace()
}

/** {@link writeFileDurably} for files of any size: slice by slice, with turns in between. */
export async function writeLargeFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  using file = beginFile(path, 0o600)
  for await (const slice of slicesOf(bytes)) file.append(slice)
  file.putInPlace()
}

interface NewFile extends Disposable {
  append(bytes: Uint8Array): void
  putInPlace(): void
}

/** A file beside the one that it is to replace; removed again unless it has been put in place. */
function beginFile(path: string, mode: number): NewFile {
  makeFolderDurably(dirname(path))
  const temporary = `${path}.${process.pid}.tmp`
  let fd: number | undefined = openSync(temporary, 'w', mode)
  const close = (): void => {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
  }
  let isInPlace = false
  return {
    append: (bytes) => atFile(temporary, () => appendDurably(fd!, bytes)),
    putInPlace() {
      close()
      renameSync(temporary, path)
      isInPlace = true
      syncFolder(dirname(path))
    },
    [Symbol.dispose]() {
      close()
      if (!isInPlace) rmSync(temporary, { force: true }) // half a file would keep a full disk full
    },
  }
}

/** Removes a file, if it is there, durably. */
export function removeDurably(path: string): void {
  rmSync(path, { force: true })
  syncFolder(dirname(path))
}

/** Makes created, renamed and removed names of a folder durable. Windows has no such call and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(folder, 'r')
  try {
    atFile(folder, () => fsyncSync(fd))
  } finally {
    closeSync(fd)
  }
}
