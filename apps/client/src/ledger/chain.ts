import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { LEDGER_FORMAT, type LedgerEntry, type LedgerFact } from './entry.ts'

/** Lower-case hex SHA-256. */
export function sha256Hex(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Canonical JSON (RFC 8785): one value has exactly one text, so its hash is the hash of the value. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('only JSON values have a canonical form')
  return text
}

/** What the first line chains to. It names the data set, so a line cannot be moved to another data set's ledger. */
export function genesisHash(fingerprint: string): string {
  return sha256Hex(`fedsvd-ledger-v${LEDGER_FORMAT}:${fingerprint}`)
}

/** Puts a fact behind the line whose hash is `previous`: `hash = SHA-256(previous || canonical JSON of the rest)`. */
export function chain(previous: string, seq: number, at: string, fact: LedgerFact): LedgerEntry {
  return { seq, at, fact, hash: sha256Hex(previous + canonicalJson({ seq, at, fact })) }
}

/** The text of one line, newline included. */
export function encodeEntry(entry: LedgerEntry): string {
  return `${canonicalJson(entry)}\n`
}
