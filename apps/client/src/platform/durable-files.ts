import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { atFile, makeFolder } from '@fedsvd/engine/files'

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
  makeFolderDurably(dirname(path))
  const temporary = `${path}.${process.pid}.tmp`
  try {
    const fd = openSync(temporary, 'w', mode)
    try {
      atFile(temporary, () => appendDurably(fd, bytes))
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true }) // half a file would keep a full disk full
    throw error
  }
  syncFolder(dirname(path))
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
