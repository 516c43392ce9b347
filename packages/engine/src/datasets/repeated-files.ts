import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { FedsvdError } from '@fedsvd/core/errors'
import type { DataPart } from './readers/data-files.ts'

/**
 * Refuses a data set in which two files have the same bytes: copies under other names, whose records would count twice.
 * Only files of one size are read for that; files without rows, such as empty shards, may be equal.
 *
 * @throws FedsvdError DATA_UNREADABLE naming both
 */
export async function requireNoCopies(
  parts: readonly DataPart[],
  hasRows: (part: DataPart) => Promise<boolean>,
): Promise<void> {
  if (parts.length < 2) return
  const bySize = new Map<number, DataPart[]>()
  for (const part of parts) {
    if (part.isFolder) continue
    const { size } = await stat(part.path)
    bySize.set(size, [...(bySize.get(size) ?? []), part])
  }
  for (const alike of bySize.values()) {
    const known = new Map<string, string>()
    for (const part of alike.length > 1 ? alike : []) {
      const hash = await hashOf(part.path)
      const same = known.get(hash)
      if (same !== undefined && (await hasRows(part))) throw copied(part.path, same)
      known.set(hash, part.path)
    }
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function copied(path: string, same: string): FedsvdError {
  return new FedsvdError('DATA_UNREADABLE', {
    expected: 'every file of a data set once',
    got: `${path}, which has the same bytes as ${same}`,
    remedy: 'Its records would count twice: remove one of the two, or name the files one by one.',
  })
}
