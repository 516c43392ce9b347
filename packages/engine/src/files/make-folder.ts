import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder and the parents that it lacks, for its owner only. Node's own recursive mkdir does not return on file
 * systems that make no folders, such as /proc.
 *
 * @returns the first folder that was made; undefined where all were there
 * @throws the error of the system for the folder that could not be made
 */
export function makeFolder(path: string): string | undefined {
  const missing: string[] = []
  for (let next = resolve(path); !isFolder(next); next = dirname(next)) missing.push(next)
  for (const folder of missing.reverse()) makeOne(folder)
  return missing[0]
}

/** @throws the error of the system where something else than a folder stands there */
function isFolder(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return false
  if (found.isDirectory()) return true
  throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${path}'`), {
    code: 'ENOTDIR',
    syscall: 'mkdir',
    path,
  })
}

function makeOne(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw error // another process made it meanwhile
  }
}
