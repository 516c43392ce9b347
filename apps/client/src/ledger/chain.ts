import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { LedgerEntry, LedgerFact } from './entry.ts'

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

/** True for the name of a ledger of format 1, which is the fingerprint of its data set. */
export function isFingerprint(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name)
}

/** What the first line chains to. It names the ledger, so a line cannot be moved to another one. */
export function genesisHash(name: string): string {
  return sha256Hex(`fedsvd-ledger-v${isFingerprint(name) ? 1 : 2}:${name}`)
}

/** Puts a fact behind the line whose hash is `previous`: `hash = SHA-256(previous || canonical JSON of the rest)`. */
export function chain(previous: string, seq: number, at: string, fact: LedgerFact): LedgerEntry {
  return { seq, at, fact, hash: sha256Hex(previous + canonicalJson({ seq, at, fact })) }
}

/** The text of one line, newline included. */
export function encodeEntry(entry: LedgerEntry): string {
  return `${canonicalJson(entry)}\n`
}
