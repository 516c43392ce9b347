import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { atFile } from '@fedsvd/engine/files'
import { replay } from './replay.ts'
import type { LedgerState } from './state.ts'
import { type VerifiedLedger, verifyLedgerBytes } from './verify.ts'

/** A ledger file that was verified, and what its facts add up to; no state where it has none. */
export type ReadLedger = VerifiedLedger & { readonly name: string; readonly state: LedgerState | undefined }

/** Reads a ledger without holding it. @throws FedsvdError LEDGER_DAMAGED with the path, or the fault of the system */
export function readLedger(path: string): ReadLedger {
  const name = basename(path, '.jsonl')
  return atFile(path, () => {
    const verified = verifyLedgerBytes(readFileSync(path), name)
    return { name, ...verified, state: replay(verified.entries) }
  })
}
