import {
  type AccountedEvent,
  bestOrder,
  chooseRule,
  type FilterRule,
  filterOf,
  mechanismKey,
  mergeEvents,
  type PrivacyEvent,
  type PrivacyFilter,
  scheduleRule,
} from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { deltaWithoutMisses } from '@fedsvd/core/privacy'
import type { Budget } from '@fedsvd/core/protocol'
import { type BoundRun, firstAttempt, hasSpent, type LedgerState, releasesOf, spentEvents } from './state.ts'
import { type Spending, spentBefore } from './unit-classes.ts'

/** Makes the filter of a rule: `filterOf` outside tests. */
export type MakeFilter = (rule: FilterRule) => PrivacyFilter

/**
 * By which rule the ledger holds its events against the budget: the recorded one, or the one that the next release of
 * `next` (a run, or a charge outside rounds) makes the ledger record.
 *
 * A rule that was recorded and that no release followed binds nobody. Without a recorded rule nothing was released, or
 * the ledger is from before there were rules. Its events are facts then. Where they are all of the first run's
 * mechanism, the rule is what that run would have fixed before its first release. Where they are of several, the
 * choices between them were made already; from here on a filter counts all of them, at the order that suits them best.
 * What that says about the past: docs/decisions/0103.
 */
export function ruleOf(state: LedgerState, next: BoundRun | AccountedEvent): FilterRule
export function ruleOf(state: LedgerState): FilterRule | undefined
export function ruleOf(state: LedgerState, next?: BoundRun | AccountedEvent): FilterRule | undefined {
  const spent = mergeEvents(spentEvents(state))
  if (state.rule !== undefined && hasSpent(state)) return state.rule
  const of = (events: readonly AccountedEvent[]): FilterRule => {
    return { kind: 'renyi', order: bestOrder(events, state.budget) }
  }
  if (spent.length > 1) return of(spent)
  const attempt = firstAttempt(state)
  const first = attempt === undefined ? (spent[0] ?? next) : state.runs.get(attempt.runId)
  if (first === undefined) return undefined
  return 'terms' in first ? chooseRule(first.event, first.terms.budget, state.budget) : of([first])
}

interface Payer {
  /** The run that the event is for; undefined for what is outside all runs. */
  readonly run?: BoundRun | undefined
  /** The data set that is trained on. */
  readonly dataset?: string
  /** Whose the ledger's budget is, for the message. */
  readonly whose?: string
  readonly makeFilter?: MakeFilter | undefined
}

/**
 * Refuses the next event when it would exceed what its run was granted, or the budget of the ledger.
 *
 * A run repeats one mechanism from its first release to its last, so its grant is the business of a fixed schedule,
 * which covers nothing else; the budget of the ledger spans runs that are chosen one after the other, so it is the
 * business of the ledger's filter.
 *
 * @param next undefined for a release that is paid for already, where a run goes on with an attempt
 * @returns the ledger's rule
 * @throws FedsvdError BUDGET_EXHAUSTED
 */
export function requireBudget(state: LedgerState, next: AccountedEvent, payer?: Payer): FilterRule
export function requireBudget(
  state: LedgerState,
  next: AccountedEvent | undefined,
  payer: Payer & { readonly run: BoundRun },
): FilterRule
export function requireBudget(
  state: LedgerState,
  next: AccountedEvent | undefined,
  { run, whose = 'this site', makeFilter = filterOf, dataset = '' }: Payer = {},
): FilterRule {
  if (run !== undefined) {
    const filter = makeFilter(scheduleRule(run.event))
    requireWithin(filter, spendingOf(state, run.runId), next, run.terms.budget, 'this run')
  }
  const rule = ruleOf(state, (run ?? next)!)
  const filter = makeFilter(rule)
  const about = (event: AccountedEvent | undefined): Spending | undefined =>
    event && { event: event as PrivacyEvent, dataset, share: run?.evaluation?.share ?? 0, side: run && 'trained' }
  for (const events of spentBefore(state, about(next ?? run?.event)!)) {
    requireWithin(filter, { events, releases: releasesOf(state) }, next, state.budget, whose)
  }
  return rule
}

/**
 * Refuses an evaluation that the units set aside cannot pay for: by the grant of its run, which is a schedule of its
 * evaluations for them, or by the budget of the ledger together with all that was spent by any of them.
 *
 * @returns the ledger's rule
 * @throws FedsvdError BUDGET_EXHAUSTED
 */
export function requireEvaluationBudget(
  state: LedgerState,
  run: BoundRun & { readonly evaluation: NonNullable<BoundRun['evaluation']> },
  { whose = 'this site', makeFilter = filterOf, dataset = '' }: Payer = {},
): FilterRule {
  const { event, share } = run.evaluation
  const own = state.charges.filter(({ runId, round }) => runId === run.runId && round !== undefined)
  const ofRun = { events: own.map((charge) => charge.event), releases: releasesOf(state, run.runId) }
  requireWithin(makeFilter(scheduleRule(event)), ofRun, event, run.terms.budget, 'this run')
  const rule = ruleOf(state, run)
  const releases = releasesOf(state)
  for (const events of spentBefore(state, { event, dataset, share, side: 'evaluated' })) {
    const filter = makeFilter(ruleOfClass(rule, [...events, event]))
    requireWithin(filter, { events, releases }, event, state.budget, whose)
  }
  return rule
}

/**
 * The ledger's rule for one class of units. A ledger that is held to the schedule of one run is held to that of the
 * run's evaluations for the units set aside: those have one mechanism, too, and their number was fixed with the run.
 */
export function ruleOfClass(rule: FilterRule, events: readonly AccountedEvent[]): FilterRule {
  const [first] = events
  if (rule.kind !== 'schedule' || first === undefined) return rule
  return events.every((one) => mechanismKey(one) === mechanismKey(first)) ? scheduleRule(first) : rule
}

interface Spent {
  readonly events: readonly AccountedEvent[]
  readonly releases: number
}

function spendingOf(state: LedgerState, runId: string): Spent {
  return { events: spentEvents(state, runId), releases: releasesOf(state, runId) }
}

/** Each release may miss its slot of time: that much of delta is not left for noise. */
function requireWithin(
  filter: PrivacyFilter,
  { events: spent, releases }: Spent,
  next: AccountedEvent | undefined,
  budget: Budget,
  whose: string,
): void {
  const delta = deltaWithoutMisses(budget.delta, releases + 1)
  const events = next === undefined ? spent : [...spent, next]
  if (delta > 0 && filter.allows(events, { ...budget, delta })) return
  const bound = (of: readonly AccountedEvent[]) => filter.epsilonUpperBound(of, budget.delta).toFixed(4)
  throw new FedsvdError('BUDGET_EXHAUSTED', {
    expected: `epsilon of at most ${budget.epsilon} at delta ${budget.delta} for ${whose}, ${RULES[filter.rule.kind]}`,
    got: `${bound(spent)} spent already and ${bound(events)} with the next round`,
    remedy:
      'Nothing was spent on it. Wait for a run with other data, or for the day from which the data owner renews the ' +
      'budget; it is never raised.',
  })
}

/** What the rules are called where people read them. */
export const RULES: Readonly<Record<FilterRule['kind'], string>> = {
  schedule: 'by PLD for the schedule that was fixed before its first release',
  renyi: 'by the Renyi filter over all runs',
  gaussian: 'by the Gaussian filter over all runs',
}
