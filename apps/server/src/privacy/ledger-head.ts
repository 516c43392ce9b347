import { FedsvdError } from '@fedsvd/core/errors'
import type { ClientHandshake, LedgerHead } from '@fedsvd/core/protocol'

/**
 * Holds the ledger that a client connects with against the one that this coordinator remembers of it. A ledger only
 * grows: one that is shorter, or has another entry where the remembered one ended, is a copy, or was restored from one,
 * and what was spent after the copy was made is not in it.
 *
 * @throws FedsvdError LEDGER_MISMATCH; TOKEN_INVALID where the client answers an older challenge, and may ask for
 *   another
 */
export function requireExtension(remembered: LedgerHead | undefined, given: ClientHandshake['ledger']): void {
  if (remembered === undefined) return
  if (given === undefined) throw notExtended(remembered, 'no ledger')
  if (given.length < remembered.length) throw notExtended(remembered, `one of ${given.length} entries`)
  const there = given.length === remembered.length ? given : given.confirmed
  if (there?.length !== remembered.length) {
    throw new FedsvdError('TOKEN_INVALID', {
      expected: `the hash of entry ${remembered.length} of the ledger`,
      got: there === undefined ? 'no hash' : `that of entry ${there.length}`,
      remedy: 'Ask for a new challenge and answer that.',
    })
  }
  if (there.head !== remembered.head) throw notExtended(remembered, 'a ledger with another history')
}

/** The refusal of a ledger that does not go on from the one that is remembered. */
export function notExtended(remembered: LedgerHead, got: string): FedsvdError {
  return new FedsvdError('LEDGER_MISMATCH', {
    expected: `a ledger that goes on from the ${remembered.length} entries that were reported before`,
    got,
    remedy:
      'The state folder is a copy, or was restored from one, and does not hold everything that was spent. Use the newest ' +
      'one; where it is lost, its budget is spent.',
  })
}
