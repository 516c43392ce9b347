import { type BigIntStats, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { sha256Hex } from '../ledger/index.ts'

/**
 * The state of a file, or of a folder with everything in it, without reading it: names, identities, sizes, and when content
 * and metadata last changed (the latter cannot be set back by tools that preserve the former).
 *
 * @throws FedsvdError DATA_UNREADABLE for a path that cannot be looked at
 */
export function filesState(path: string): string {
  const lines: string[] = []
  const look = (name: string): void => {
    const stats = statSync(name, { bigint: true })
    lines.push(JSON.stringify([name, ...facts(stats)]))
    if (stats.isDirectory()) for (const inside of readdirSync(name).sort()) look(join(name, inside))
  }
  try {
    look(path)
  } catch (cause) {
    const got = String((cause as NodeJS.ErrnoException).code)
    const detail = { expected: `a readable file ${path}`, got, remedy: 'Check the path and its permissions.' }
    throw new FedsvdError('DATA_UNREADABLE', detail, { cause })
  }
  return sha256Hex(lines.join('\n'))
}

function facts({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string[] {
  return [dev, ino, size, mtimeNs, ctimeNs].map(String)
}
