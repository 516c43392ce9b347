import { filterOf } from '@fedsvd/core/accounting'
import { deltaOfFigures } from '@fedsvd/core/privacy'
import { ruleOf } from './budget.ts'
import { type BoundRun, type LedgerState, releasesOf, spentEvents } from './state.ts'

/** What a budget would have counted with a whole run in it. */
export interface RunCost {
  readonly epsilon: number
  readonly chargedBefore: number
  readonly chargedAfter: number
  readonly remainingAfter: number
}

/**
 * What a run would cost a budget, by the rule that would hold its events.
 *
 * @param steps of the whole run, spare ones included
 * @param rounds each a release that may miss its slot of time
 */
export function costOfRun(state: LedgerState, run: BoundRun, steps: number, rounds: number): RunCost {
  const { epsilon, delta } = state.budget
  const spent = spentEvents(state)
  const releases = releasesOf(state)
  const filter = filterOf(ruleOf(state, run))
  const before = filter.epsilonUpperBound(spent, deltaOfFigures(delta, releases))
  const chargedBefore = spent.length === 0 ? 0 : before
  const events = [...spent, { ...run.event, steps }]
  const chargedAfter = filter.epsilonUpperBound(events, deltaOfFigures(delta, releases + rounds))
  return { epsilon, chargedBefore, chargedAfter, remainingAfter: Math.max(0, epsilon - chargedAfter) }
}
