import { FedsvdError } from '../errors.ts'
import type { GuessOutcome } from './guesses.ts'

/** @throws FedsvdError CONFIG_INVALID unless 0 <= correct <= guesses <= canaries, all integers, canaries at least 1 */
export function checkOutcome({ canaries, guesses, correct }: GuessOutcome): void {
  const counts = [canaries, guesses, correct].every((count) => Number.isSafeInteger(count) && count >= 0)
  if (counts && canaries >= 1 && guesses <= canaries && correct <= guesses) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'counts with 0 <= correct <= guesses <= canaries',
    got: JSON.stringify({ canaries, guesses, correct }),
    remedy: 'Count the guesses again.',
  })
}

/** @throws FedsvdError CONFIG_INVALID unless epsilon is finite and at least 0 and 0 <= delta <= 1 */
export function checkPair({ epsilon, delta }: { readonly epsilon: number; readonly delta: number }): void {
  if (Number.isFinite(epsilon) && epsilon >= 0 && delta >= 0 && delta <= 1) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a finite epsilon of at least 0 and a delta from 0 to 1',
    got: JSON.stringify({ epsilon, delta }),
    remedy: 'Give the claim that is to be tested.',
  })
}

/** @throws FedsvdError CONFIG_INVALID unless 0 < level < 1 */
export function checkLevel(level: number): void {
  if (level > 0 && level < 1) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'an allowed error above 0 and below 1',
    got: String(level),
    remedy: 'Use 1 - confidence, for example 0.05.',
  })
}
