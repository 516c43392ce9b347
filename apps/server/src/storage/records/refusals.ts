import { FedsvdError } from '@fedsvd/core/errors'
import type { Budget } from '@fedsvd/core/protocol'

/** Why an enrolment token buys nothing; all stores answer with the same words. */
export function tokenRefused(
  got: 'an unknown token' | 'a token that was used before' | 'an expired token',
): FedsvdError {
  return new FedsvdError('TOKEN_INVALID', {
    expected: 'an unused enrolment token that has not expired',
    got,
    remedy: 'Ask the operator of the coordinator for a new one.',
  })
}

/** Why a token buys nothing under this name; whose it is, is not told. */
export function tokenOfAnother(name: string): FedsvdError {
  return new FedsvdError('TOKEN_INVALID', {
    expected: 'an enrolment token for any name, or for this one',
    got: `${name}, and a token that was made for another name`,
    remedy: 'Enrol under the name that the operator made it for: the token is still good. Else ask for another one.',
  })
}

/** Refuses a charge: the same draw of noise has been charged before. */
export function chargedBefore(): FedsvdError {
  return new FedsvdError('RUN_STATE', {
    expected: 'a draw of noise that has not been charged yet',
    got: 'one that is stored already',
    remedy: 'Read the ledger again and charge the next one; nothing was stored.',
  })
}

/** True when a budget allows more than another one, in epsilon or in delta. */
export function isLarger(cap: Budget, other: Budget): boolean {
  return cap.epsilon > other.epsilon || cap.delta > other.delta
}

/**
 * Refuses a change that counts a stale update: another round has counted it meanwhile. A client that sends it again is
 * told so.
 */
export function countedBefore(): FedsvdError {
  return new FedsvdError('RUN_NOT_OPEN', {
    expected: 'late updates that no round has counted yet',
    got: 'one that was counted just now',
    remedy: 'Send the same bytes again; nothing was stored.',
  })
}

/** Refuses a charge: the spending that it was checked against has changed. */
export function spentMeanwhile(): FedsvdError {
  return new FedsvdError('RUN_STATE', {
    expected: 'a client-level account that has not changed since it was read',
    got: 'a payment of another run',
    remedy: 'Read the ledger again and check the budget again; nothing was stored.',
  })
}

/** Refuses a write of a coordinator that no longer owns the run. */
export function leaseLost(runId: string): FedsvdError {
  return new FedsvdError('LEASE_LOST', {
    expected: `the lease of run ${runId}`,
    got: 'a coordinator that no longer owns the run',
    remedy: 'Try again: the coordinator that owns it now will answer. Nothing was stored.',
  })
}
