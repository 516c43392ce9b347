import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLedger, type PrivacyLedger } from '@fedsvd/client/ledger'
import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { MISS_PROBABILITY, type Reservation } from '@fedsvd/core/privacy'

/**
 * Pays for the round in a ledger of its own, as a client does; canaries are made-up data, so it is discarded.
 */
export async function withReservation<T>(
  event: PrivacyEvent,
  budget: { readonly epsilon: number; readonly delta: number },
  use: (reservation: Reservation, ledger: Pick<PrivacyLedger, 'stepped'>) => T | Promise<T>,
): Promise<T> {
  const stateDir = mkdtempSync(join(tmpdir(), 'fedsvd-audit-'))
  try {
    const hash = createHash('sha256').update('gradient canaries').digest('hex')
    // the event costs all of the claim: a slot of time that might be missed is paid for beside it
    const granted = { ...budget, delta: budget.delta + 2 * MISS_PROBABILITY }
    using ledger = openLedger(stateDir, hash, granted)
    const runId = randomUUID()
    const { sampleRate, noiseMultiplier } = event
    ledger.bind({
      runId,
      coordinator: 'none: an audit',
      manifestSha256: hash,
      terms: { declaredRecords: 1, sampleRate, noiseMultiplier, budget: granted },
      event,
    })
    return await use(ledger.reserve(runId, 0), ledger)
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}
