import { type Accountant, type AccountedEvent, mergeEvents, pld, rdp } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Budget } from '@fedsvd/core/protocol'

/**
 * Who says what events cost: the quick one is asked first, and only where it says no, the tight one. Both are upper bounds,
 * so either yes is enough.
 */
export interface Accountants {
  readonly quick: Accountant
  readonly tight: Accountant
}

export const ACCOUNTANTS: Accountants = { quick: rdp, tight: pld }

/** True when `events` together stay within the budget. */
export function withinBudget(
  events: readonly AccountedEvent[],
  { epsilon, delta }: Budget,
  { quick, tight }: Accountants = ACCOUNTANTS,
): boolean {
  const merged = mergeEvents(events)
  return quick.epsilonUpperBound(merged, delta) <= epsilon || tight.epsilonUpperBound(merged, delta) <= epsilon
}

/**
 * Refuses the next event when it would exceed the budget of `whose`.
 *
 * @throws FedsvdError BUDGET_EXHAUSTED
 */
export function requireBudget(
  spent: readonly AccountedEvent[],
  next: AccountedEvent,
  budget: Budget,
  whose = 'this site',
  accountants: Accountants = ACCOUNTANTS,
): void {
  if (withinBudget([...spent, next], budget, accountants)) return
  const bound = (events: readonly AccountedEvent[]) =>
    accountants.tight.epsilonUpperBound(events, budget.delta).toFixed(4)
  throw new FedsvdError('BUDGET_EXHAUSTED', {
    expected: `epsilon of at most ${budget.epsilon} at delta ${budget.delta} for ${whose}`,
    got: `${bound(spent)} spent already and ${bound([...spent, next])} with the next round`,
    remedy: 'Nothing was spent on it. Wait for a run with other data; a budget is never raised.',
  })
}
