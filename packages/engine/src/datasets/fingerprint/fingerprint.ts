import { createHash } from 'node:crypto'
import type { InstructionRecord, PassageRecord, TaggedRecord, TextRecord } from '../text-record.ts'

const DOMAIN = 'fedsvd data set 1'

/**
 * Names a data set by its content: SHA-256, in hex, over the multiset of its records. The privacy ledger keeps its
 * budget under this name.
 *
 * - The same records in another order, file or format, or with other sources, have the same fingerprint.
 * - One record more, less, twice or changed by one character gives another (up to SHA-256 collisions).
 * - It says nothing about likeness: a slightly edited data set looks new. Whoever edits data that has already been
 *   trained on must carry the spending over; no fingerprint can see that for them.
 * - It is not secret-preserving: who can guess the whole data set can check the guess. Treat it as the site's own.
 *
 * A labelled text is hashed as label length, label, text (UTF-16LE, so that no two strings share an encoding), a pair
 * with its second text before that; a record of another task as the name of the task (which no length begins like) and
 * every field behind its length. The digests are sorted and hashed again behind a domain tag and the count.
 */
export function fingerprintRecords(records: Iterable<Content>): string {
  const digests = Array.from(records, recordDigest).sort(Buffer.compare)
  return fingerprintOfDigests(digests.length, digests)
}

/** The fingerprint of `count` records whose digests come in ascending order, one or more of them in each piece. */
export function fingerprintOfDigests(count: number, ascending: Iterable<Uint8Array>): string {
  const hash = createHash('sha256').update(DOMAIN).update(lengthPrefix(count))
  for (const digests of ascending) hash.update(digests)
  return hash.digest('hex')
}

/** What of a record its digest covers: everything but the source. */
export type Content =
  | Pick<TextRecord, 'task' | 'text' | 'pair' | 'label'>
  | Pick<TaggedRecord, 'task' | 'words' | 'tags'>
  | Pick<PassageRecord, 'task' | 'text'>
  | Pick<InstructionRecord, 'task' | 'prompt' | 'answer'>

/** SHA-256 of one record, 32 bytes. */
export function recordDigest(record: Content): Buffer {
  const hash = createHash('sha256')
  if ('label' in record) {
    const { label, text, pair } = record
    if (pair !== undefined)
      hash.update('text-pair').update(lengthPrefix(pair.length)).update(Buffer.from(pair, 'utf16le'))
    hash.update(lengthPrefix(label.length)).update(Buffer.from(label, 'utf16le')).update(Buffer.from(text, 'utf16le'))
    return hash.digest()
  }
  hash.update(record.task)
  for (const field of fieldsOf(record)) hash.update(lengthPrefix(field.length)).update(Buffer.from(field, 'utf16le'))
  return hash.digest()
}

function fieldsOf(record: Exclude<Content, Pick<TextRecord, 'task' | 'text' | 'label'>>): readonly string[] {
  switch (record.task) {
    case 'token-classification':
      return [...record.words, ...record.tags]
    case 'causal-lm':
      return [record.text]
    case 'instruction-tuning':
      return [record.prompt, record.answer]
  }
}

function lengthPrefix(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(length))
  return bytes
}
