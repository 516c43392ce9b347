import { mostAffordable } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { type MakeFilter, requireBudget } from './budget.ts'
import { type Attempt, attemptToGoOnWith, type BoundRun, type LedgerState } from './state.ts'

/**
 * How a round goes on, as far as the budget goes. All of it follows from the ledger's events:
 *
 * - `anew`: with as many steps as the budget pays for, all of the run's unless it is nearly spent;
 * - `resume`: behind the last step that was kept; the step that may have begun and was lost is paid for once more;
 * - `shorten`: the same where nothing is left to pay with; the lost step is left out of the round.
 */
export type NextAttempt =
  | { readonly kind: 'anew'; readonly steps: number }
  | { readonly kind: 'resume' | 'shorten'; readonly from: Attempt; readonly steps: number }

interface Payer {
  /** The data set that is trained on: an attempt goes on with its own, or not at all. */
  readonly dataset: string
  readonly whose?: string
  readonly makeFilter?: MakeFilter | undefined
}

/**
 * The next attempt at a round.
 *
 * @param canResume false where the step that was kept cannot be gone on with
 * @throws FedsvdError BUDGET_EXHAUSTED where the budget pays for no step
 */
export function nextAttempt(
  state: LedgerState,
  run: BoundRun,
  round: number,
  { canResume = true, dataset, ...payer }: Payer & { readonly canResume?: boolean },
): NextAttempt {
  const require = (steps: number) => {
    requireBudget(state, steps === 0 ? undefined : { ...run.event, steps }, { run, dataset, ...payer })
  }
  const affords = (steps: number): boolean => isWithinBudget(() => require(steps))
  const from = attemptToGoOnWith(state, run.runId, round)
  if (!canResume || from?.dataset !== dataset) {
    const steps = mostAffordable(run.event.steps, affords)
    if (steps === 0) require(1)
    return { kind: 'anew', steps }
  }
  if (affords(1)) return { kind: 'resume', from, steps: from.steps }
  const steps = from.steps - 1
  if (steps < 1 || steps < (from.saved?.step ?? 0)) require(1)
  require(0) // it is another release
  return { kind: 'shorten', from, steps }
}

function isWithinBudget(require: () => unknown): boolean {
  try {
    require()
    return true
  } catch (error) {
    if (error instanceof FedsvdError && error.code === 'BUDGET_EXHAUSTED') return false
    throw error
  }
}
