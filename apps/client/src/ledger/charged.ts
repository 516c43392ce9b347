import { filterOf, type SiteUnit } from '@fedsvd/core/accounting'
import { deltaOfFigures } from '@fedsvd/core/privacy'
import type { Budget } from '@fedsvd/core/protocol'
import { ruleOf, ruleOfClass } from './budget.ts'
import { budgetOfAllPeriods } from './renewal.ts'
import { type LedgerState, releasesOf } from './state.ts'
import { unitOfLedger } from './unit.ts'
import { worstOfClasses } from './unit-classes.ts'

/** A budget and how far it is used, for people; what the ledger's rule counts is what is enforced. */
export interface BudgetInUse {
  readonly name: string
  readonly budget: Budget
  /** What one unit is; undefined before the first run. */
  readonly unit: SiteUnit | undefined
  /** Epsilon that the rule of the ledger has counted, at the delta that the releases so far leave. */
  readonly epsilonCharged: number
  /** `budget.epsilon` less `epsilonCharged`; epsilon does not simply add up, so a run is found by calibration. */
  readonly remaining: number
  /** There where the budget was renewed: since when this period counts, and what all periods guarantee together. */
  readonly renewed?: { readonly since: string; readonly times: number; readonly inAll: Budget }
}

/** How far the budget of a ledger is used. */
export function budgetInUse(state: LedgerState): BudgetInUse {
  const { name, budget } = state
  const rule = ruleOf(state)
  // As it is enforced: each release may have missed its slot of time.
  const delta = deltaOfFigures(budget.delta, releasesOf(state))
  const epsilonCharged =
    rule === undefined
      ? 0
      : worstOfClasses(state, (events) => filterOf(ruleOfClass(rule, events)).epsilonUpperBound(events, delta))
  const remaining = Math.max(0, budget.epsilon - epsilonCharged)
  const since = state.periods.at(-1)?.from
  return {
    name,
    budget,
    unit: unitOfLedger(state),
    epsilonCharged,
    remaining,
    ...(since !== undefined && { renewed: { since, times: state.periods.length, inAll: budgetOfAllPeriods(state) } }),
  }
}
