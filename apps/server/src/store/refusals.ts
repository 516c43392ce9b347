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

/** Why a charge is refused: somebody else has paid under the same number. */
export function chargedBefore(): FedsvdError {
  return new FedsvdError('RUN_STATE', {
    expected: 'a draw of noise that nobody has paid for yet',
    got: 'one that is stored already',
    remedy: 'Read the ledger again and charge the next one; nothing was stored.',
  })
}

/** True when a budget allows more than another one, in epsilon or in delta. */
export function isLarger(cap: Budget, other: Budget): boolean {
  return cap.epsilon > other.epsilon || cap.delta > other.delta
}

/** Why a change that counts a late update is refused: another round has counted it meanwhile. Whoever asks again is told so. */
export function countedBefore(): FedsvdError {
  return new FedsvdError('RUN_NOT_OPEN', {
    expected: 'late updates that no round has counted yet',
    got: 'one that was counted just now',
    remedy: 'Send the same bytes again; nothing was stored.',
  })
}
