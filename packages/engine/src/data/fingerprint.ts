import { createHash } from 'node:crypto'
import type { TextRecord } from './text-record.ts'

const DOMAIN = 'fedsvd data set 1'

/**
 * Names a data set by its content: SHA-256, in hex, over the multiset of its (text, label) pairs. The privacy ledger keeps
 * its budget under this name.
 *
 * - The same records in another order, file or format, or with other sources, have the same fingerprint.
 * - One record more, less, twice or changed by one character gives another (up to SHA-256 collisions).
 * - It says nothing about likeness: a slightly edited data set looks new. Whoever edits data that has already been trained
 *   on must carry the spending over; no fingerprint can see that for them.
 * - It is not secret-preserving: who can guess the whole data set can check the guess. Treat it as the site's own.
 *
 * Each record is hashed as label length, label, text (UTF-16LE, so that no two strings share an encoding); the digests
 * are sorted and hashed again behind a domain tag and the count.
 */
export function fingerprintRecords(records: Iterable<Pick<TextRecord, 'text' | 'label'>>): string {
  const digests = Array.from(records, recordDigest).sort(Buffer.compare)
  const hash = createHash('sha256').update(DOMAIN).update(lengthPrefix(digests.length))
  for (const digest of digests) hash.update(digest)
  return hash.digest('hex')
}

function recordDigest({ text, label }: Pick<TextRecord, 'text' | 'label'>): Buffer {
  const hash = createHash('sha256').update(lengthPrefix(label.length))
  return hash.update(Buffer.from(label, 'utf16le')).update(Buffer.from(text, 'utf16le')).digest()
}

function lengthPrefix(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(length))
  return bytes
}
