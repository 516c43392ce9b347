import { statSync } from 'node:fs'

/**
 * The rights of a folder that is open to more people than its owner, such as `755`; undefined where it is not, where it
 * is not there, and on systems that tell rights in another way.
 */
export function exposure(folder: string): string | undefined {
  if (process.platform === 'win32') return undefined
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found === undefined || (found.mode & 0o077) === 0) return undefined
  return (found.mode & 0o777).toString(8).padStart(3, '0')
}
