import { type AccountedEvent, pld, rdp } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Budget } from '@fedsvd/core/protocol'

/**
 * True when `events` together stay within the budget. RDP answers first, since it is quick and never below PLD; only where
 * it says no is the tight accountant asked.
 */
export function withinBudget(events: readonly AccountedEvent[], { epsilon, delta }: Budget): boolean {
  return rdp.epsilonUpperBound(events, delta) <= epsilon || pld.epsilonUpperBound(events, delta) <= epsilon
}

/**
 * Refuses the next event when it would exceed the budget.
 *
 * @throws FedsvdError BUDGET_EXHAUSTED
 */
export function requireBudget(spent: readonly AccountedEvent[], next: AccountedEvent, budget: Budget): void {
  if (withinBudget([...spent, next], budget)) return
  const [before, after] = [spent, [...spent, next]].map((events) => pld.epsilonUpperBound(events, budget.delta))
  throw new FedsvdError('BUDGET_EXHAUSTED', {
    expected: `epsilon of at most ${budget.epsilon} at delta ${budget.delta} for this data set`,
    got: `${before!.toFixed(4)} spent already and ${after!.toFixed(4)} with the next round`,
    remedy: 'This data set takes no further part; nothing was spent.',
  })
}
