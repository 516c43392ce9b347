import { type BigIntStats, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type DataPaths, dataParts, notReadable } from '@fedsvd/engine/datasets'
import { sha256Hex } from '../ledger/index.ts'

/**
 * The state of the files of a data set, and of its folders with everything in them, without reading them: names,
 * identities, sizes, and when content and metadata last changed (the latter cannot be set back by tools that preserve
 * the former).
 *
 * @throws FedsvdError DATA_UNREADABLE for a path that cannot be looked at, or that names no data set
 */
export function filesState(paths: DataPaths): string {
  const lines: string[] = []
  const look = (name: string): void => {
    const stats = statSync(name, { bigint: true })
    lines.push(JSON.stringify([name, ...facts(stats)]))
    if (stats.isDirectory()) for (const inside of readdirSync(name).sort()) look(join(name, inside))
  }
  for (const { path } of dataParts(paths)) {
    try {
      look(path)
    } catch (error) {
      throw notReadable(path, error as NodeJS.ErrnoException)
    }
  }
  return sha256Hex(lines.join('\n'))
}

function facts({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string[] {
  return [dev, ino, size, mtimeNs, ctimeNs].map(String)
}
