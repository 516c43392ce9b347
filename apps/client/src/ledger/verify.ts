import { FedsvdError, writtenByNewer } from '@fedsvd/core/errors'
import { firstIssueInWords } from '@fedsvd/core/protocol'
import { canonicalJson, chain, encodeEntry, genesisHash, sha256Hex } from './chain.ts'
import { LEDGER_FORMAT, type LedgerEntry, ledgerLineSchema } from './entry.ts'

const NEWLINE = 0x0a

/** A ledger file, read and verified. */
export interface VerifiedLedger {
  readonly entries: readonly LedgerEntry[]
  /** Hash of the last whole line; the genesis hash when there is none. */
  readonly head: string
  /** Bytes up to the end of the last whole line. */
  readonly wholeBytes: number
  /**
   * What follows the last newline. `none`: nothing. `unterminated`: a whole, valid line (already in `entries`) that
   * only lacks its newline. `torn`: the beginning of a line whose write was cut off.
   */
  readonly tail: 'none' | 'unterminated' | 'torn'
}

/**
 * Reads a ledger and checks every line: canonical text, known fields, consecutive numbers, unbroken chain.
 *
 * A crash in the middle of an append leaves a prefix of one line at the very end; that, and only that, is a torn tail.
 * Dropping it never forgets a spending that left the process: noise is drawn only after the line of its reservation,
 * newline included, is on disk, and a frame is uploaded only after a further line (`finished`) has followed it.
 *
 * Guarantees: every byte before the tail is covered by the chain; changing, removing, inserting or moving a line is
 * found. Removing whole lines from the end is not visible here: the outbox and the coordinator's own record reveal it.
 *
 * @param name of the budget, or the data set's fingerprint for a ledger of format 1
 * @throws FedsvdError LEDGER_DAMAGED naming the line
 */
export function verifyLedgerBytes(bytes: Uint8Array, name: string): VerifiedLedger {
  const wholeBytes = bytes.lastIndexOf(NEWLINE) + 1
  const entries: LedgerEntry[] = []
  let head = genesisHash(name)
  const append = (line: string): void => {
    const entry = parseLine(line, entries.length + 1, head)
    checkPlace(entry, line, entries.length, head)
    entries.push(entry)
    head = entry.hash
  }
  for (const line of decode(bytes.subarray(0, wholeBytes)).split('\n').slice(0, -1)) append(line)

  const rest = bytes.subarray(wholeBytes)
  if (rest.length === 0) return { entries, head, wholeBytes, tail: 'none' }
  if (isTorn(rest)) return { entries, head, wholeBytes, tail: 'torn' }
  append(decode(rest))
  return { entries, head, wholeBytes: bytes.length, tail: 'unterminated' }
}

/**
 * A tail is torn when it is the mere beginning of a line (or zeros, as some file systems leave them). A whole JSON text
 * is none, and neither is one that something follows: its newline was overwritten, so it is damage.
 */
function isTorn(rest: Uint8Array): boolean {
  const text = new TextDecoder().decode(rest)
  return !isJson(text) && !isJson(text.slice(0, text.lastIndexOf('}') + 1))
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function parseLine(line: string, number: number, previous: string): LedgerEntry {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch (cause) {
    throw damaged(number, 'JSON', 'an invalid value', cause)
  }
  const result = ledgerLineSchema.safeParse(json)
  if (result.success) return result.data
  if (isIntact(json, line, previous)) throw newer(json, number)
  const { expected, got } = firstIssueInWords(result.error, json, 'entry')
  throw damaged(number, expected, got)
}

/** True for a line that is chained as it should be, whatever it says. */
function isIntact(json: unknown, line: string, previous: string): boolean {
  if (typeof json !== 'object' || json === null) return false
  const { hash, ...rest } = json as Record<string, unknown>
  return hash === sha256Hex(previous + canonicalJson(rest)) && canonicalJson(json) === line
}

/** A whole line that this release does not understand is not damage. */
function newer(json: unknown, number: number): FedsvdError {
  const { kind, format } = ((json as { fact?: unknown }).fact ?? {}) as { kind?: unknown; format?: unknown }
  const got = typeof format === 'number' ? `format ${format}` : `an entry of the kind "${String(kind).slice(0, 40)}"`
  return writtenByNewer('a ledger', LEDGER_FORMAT, `${got} in line ${number}`)
}

function checkPlace(entry: LedgerEntry, line: string, seq: number, previous: string): void {
  if (entry.seq !== seq) throw damaged(seq + 1, `entry number ${seq}`, `number ${entry.seq}`)
  const { hash } = chain(previous, entry.seq, entry.at, entry.fact)
  if (hash !== entry.hash) throw damaged(seq + 1, `hash ${hash.slice(0, 16)}...`, `${entry.hash.slice(0, 16)}...`)
  if (encodeEntry(entry) !== `${line}\n`) throw damaged(seq + 1, 'canonical JSON', 'the same entry written differently')
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new FedsvdError('LEDGER_DAMAGED', detail('UTF-8 text', 'other bytes'), { cause })
  }
}

/** The refusal of a ledger that cannot be trusted; `line` counts from 1. */
export function damaged(line: number, expected: string, got: string, cause?: unknown): FedsvdError {
  return new FedsvdError('LEDGER_DAMAGED', detail(`${expected} in line ${line} of the ledger`, got), { cause })
}

function detail(expected: string, got: string) {
  return {
    expected,
    got,
    remedy:
      'Nothing is trained here. Restore the ledger from a copy that is not older than its last training, ' +
      'or treat the whole budget as spent.',
  }
}
