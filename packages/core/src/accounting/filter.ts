import type { Accountant } from './accountant.ts'
import type { AccountedEvent } from './event.ts'
import { checkDelta, checkEpsilon, mechanismKey, mergeEvents } from './events.ts'
import { pld } from './pld.ts'
import { RDP_ORDERS, rdp, renyiDivergences } from './rdp.ts'

/**
 * How the events of one ledger are held against its budget. A rule is fixed before the first release and never changes,
 * because both the choice of a rule and the choice of an order after results were seen are choices of the adversary.
 *
 * - `schedule`: one mechanism only, repeated. How many steps fit is decided by the mechanism and the budget alone,
 *   before anything is released, so a tight accountant of fixed schedules holds. Whatever else is asked for is refused.
 * - `renyi`: any events, each chosen after seeing all that came before. Their Renyi divergences at the one `order` add
 *   up.
 * - `gaussian`: the same freedom, by their Gaussian-DP parameters, whose squares add up. Exact where sampleRate is 1;
 *   an event with a smaller one is charged as though it were 1.
 */
export type FilterRule =
  | { readonly kind: 'schedule'; readonly sampleRate: number; readonly noiseMultiplier: number }
  | { readonly kind: 'renyi'; readonly order: number }
  | { readonly kind: 'gaussian' }

/** What a privacy filter promises to keep: (epsilon, delta). */
export interface PrivacyBudget {
  readonly epsilon: number
  readonly delta: number
}

/**
 * A privacy filter: an accountant that stays an upper bound when every event is chosen with knowledge of all earlier
 * results, as long as nothing is released that `allows` refuses.
 *
 * Guarantees: of a sequence that `allows` admitted event by event, whoever chose the events and whenever they stopped,
 * the whole is (epsilon, delta)-DP. `epsilonUpperBound` is infinite for events that the rule does not cover. Proofs,
 * and why "PLD or RDP" for each event is no filter: docs/decisions/0103.
 *
 * Sources: Rogers et al. 2016; Feldman and Zrnic 2021, theorem 4.3 (Renyi); Smith and Thakurta 2022 (Gaussian).
 */
export interface PrivacyFilter extends Accountant<FilterAccount> {
  readonly rule: FilterRule
  /** True when `events`, the next one included, are within the budget. @throws FedsvdError as the accountants */
  allows(events: readonly AccountedEvent[], budget: PrivacyBudget): boolean
}

/** The events of a growing ledger, those of one mechanism merged. */
export interface FilterAccount {
  readonly delta: number
  readonly events: readonly AccountedEvent[]
}

/** The filter of a rule. */
export function filterOf(rule: FilterRule): PrivacyFilter {
  const { epsilonAt, deltaAt, allows } = BOUNDS[rule.kind](rule as never)
  return {
    name: 'filter',
    rule,
    allows(events, { epsilon, delta }) {
      checkEpsilon(epsilon)
      checkDelta(delta)
      return allows(mergeEvents(events), { epsilon, delta })
    },
    epsilonUpperBound(events, delta) {
      checkDelta(delta)
      const merged = mergeEvents(events)
      return merged.length === 0 ? 0 : epsilonAt(merged, delta)
    },
    deltaUpperBound(events, epsilon) {
      checkEpsilon(epsilon)
      const merged = mergeEvents(events)
      return merged.length === 0 ? 0 : deltaAt(merged, epsilon)
    },
    init(delta) {
      checkDelta(delta)
      return { delta, events: [] }
    },
    append: ({ delta, events }, event) => ({ delta, events: mergeEvents([...events, event]) }),
    epsilon: ({ delta, events }) => (events.length === 0 ? 0 : epsilonAt(events, delta)),
  }
}

/**
 * The rule for a schedule that is fixed before its first release and repeats one mechanism, as the rounds of a run do.
 */
export function scheduleRule({ sampleRate, noiseMultiplier }: Omit<AccountedEvent, 'steps'>): FilterRule {
  return { kind: 'schedule', sampleRate, noiseMultiplier }
}

/**
 * The rule of a new ledger, from what is known before its first release: the mechanism of its first run, the budget
 * that this run was granted, and the budget of the ledger. Nothing else may enter.
 *
 * `renyi` where the filter at its best order pays for all that the first run may ever spend of its grant, so that later
 * runs can follow it. Otherwise `schedule`: the first run is worth more of the budget than any filter can vouch for,
 * and nothing but its mechanism is ever released.
 *
 * @throws FedsvdError CONFIG_INVALID or NOISE_INVALID when a value is out of range
 */
export function chooseRule(
  first: Omit<AccountedEvent, 'steps'>,
  granted: PrivacyBudget,
  budget: PrivacyBudget,
): FilterRule {
  const order = bestOrder([{ ...first, steps: 1 }], budget)
  const steps = Math.floor(divergenceBudget(budget, order) / divergenceOf(first, order))
  const whole = filterOf(scheduleRule(first))
  const isPaid = steps >= MOST_STEPS || (steps > 0 && !whole.allows([{ ...first, steps: steps + 1 }], granted))
  return isPaid ? { kind: 'renyi', order } : scheduleRule(first)
}

/** What a run may spend, known before its first release. */
export interface FirstRun {
  readonly sampleRate: number
  readonly noiseMultiplier: number
  readonly granted: PrivacyBudget
}

/**
 * The rule of an account that has none on record: computed again from the first run that spent, in the order of the
 * facts, and from a budget that was set before. As long as all facts are of one mechanism it is the one that
 * `chooseRule` fixes. Facts of several are beyond any schedule: they are there although a schedule would have refused
 * them, because there was no budget at the time, and a filter at the order of the first run counts all of them.
 *
 * @param spent everything recorded, the next event left out
 */
export function ruleOfFacts(
  spent: readonly AccountedEvent[],
  { granted, ...first }: FirstRun,
  budget: PrivacyBudget,
): FilterRule {
  if (mergeEvents(spent).length <= 1) return chooseRule(first, granted, budget)
  return { kind: 'renyi', order: bestOrder([{ ...first, steps: 1 }], budget) }
}

/** No run has more steps than this. */
const MOST_STEPS = 1e10

/**
 * The order at which a budget pays for `events` the most times over (less than once where they exceed it at every
 * order).
 *
 * @param events at least one
 * @throws FedsvdError CONFIG_INVALID or NOISE_INVALID
 */
export function bestOrder(events: readonly AccountedEvent[], budget: PrivacyBudget): number {
  checkDelta(budget.delta)
  const spent = mergeEvents(events).map(({ steps, ...mechanism }) => {
    return renyiDivergences(mechanism, RDP_ORDERS).map((divergence) => steps * divergence)
  })
  let [best, most] = [RDP_ORDERS[0] as number, Number.NEGATIVE_INFINITY]
  RDP_ORDERS.forEach((order, i) => {
    const times =
      divergenceBudget(budget, order) / spent.reduce((sum, divergences) => sum + (divergences[i] as number), 0)
    if (times > most) [best, most] = [order, times]
  })
  return best
}

/** The Renyi divergence at `order` that converts to exactly this budget; negative where even none would exceed it. */
function divergenceBudget({ epsilon, delta }: PrivacyBudget, order: number): number {
  return epsilon - conversion(order, delta)
}

/** What converting from Renyi DP at one order adds (Canonne, Kamath, Steinke 2020, proposition 12). */
function conversion(order: number, delta: number): number {
  return Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1)
}

interface Bounds {
  /** Of merged events, at least one. */
  epsilonAt(events: readonly AccountedEvent[], delta: number): number
  deltaAt(events: readonly AccountedEvent[], epsilon: number): number
  allows(events: readonly AccountedEvent[], budget: PrivacyBudget): boolean
}

/**
 * For one fixed list of events, where two bounds hold at once: the quick one is asked first, the tight one where it
 * says no.
 */
const FIXED: Bounds = {
  epsilonAt: (events, delta) => pld.epsilonUpperBound(events, delta),
  deltaAt: (events, epsilon) => pld.deltaUpperBound(events, epsilon),
  allows: (events, { epsilon, delta }) =>
    rdp.epsilonUpperBound(events, delta) <= epsilon || pld.epsilonUpperBound(events, delta) <= epsilon,
}

type Kind = FilterRule['kind']

const BOUNDS: { readonly [K in Kind]: (rule: Extract<FilterRule, { kind: K }>) => Bounds } = {
  schedule(rule) {
    const isCovered = (events: readonly AccountedEvent[]) =>
      events.every((event) => mechanismKey(event) === mechanismKey(rule))
    return {
      epsilonAt: (events, delta) => (isCovered(events) ? FIXED.epsilonAt(events, delta) : Number.POSITIVE_INFINITY),
      deltaAt: (events, epsilon) => (isCovered(events) ? FIXED.deltaAt(events, epsilon) : 1),
      allows: (events, budget) => isCovered(events) && FIXED.allows(events, budget),
    }
  },

  renyi({ order }) {
    const total = (events: readonly AccountedEvent[]) =>
      ROUND_UP * events.reduce((sum, event) => sum + event.steps * divergenceOf(event, order), 0)
    const epsilonAt = (events: readonly AccountedEvent[], delta: number) =>
      Math.max(0, total(events) + conversion(order, delta))
    return {
      epsilonAt,
      deltaAt: (events, epsilon) =>
        Math.min(1, Math.exp((order - 1) * (total(events) - epsilon + Math.log1p(-1 / order)) - Math.log(order))),
      allows: (events, { epsilon, delta }) => epsilonAt(events, delta) <= epsilon,
    }
  },

  gaussian() {
    // One Gaussian with the same sum of squared signal-to-noise ratios.
    const joined = (events: readonly AccountedEvent[]): AccountedEvent[] => {
      const squares = events.reduce((sum, { steps, noiseMultiplier }) => sum + steps / noiseMultiplier ** 2, 0)
      return [{ sampleRate: 1, noiseMultiplier: 1 / Math.sqrt(ROUND_UP * squares), steps: 1 }]
    }
    return {
      epsilonAt: (events, delta) => FIXED.epsilonAt(joined(events), delta),
      deltaAt: (events, epsilon) => FIXED.deltaAt(joined(events), epsilon),
      allows: (events, budget) => FIXED.allows(joined(events), budget),
    }
  },
}

/** Covers the rounding of a sum of positive terms. */
const ROUND_UP = 1 + 1e-12

const MOST_REMEMBERED = 1024
const remembered = new Map<string, number>()

/** The divergence of one step at one order, which is asked for again with every round. */
function divergenceOf(mechanism: Omit<AccountedEvent, 'steps'>, order: number): number {
  const key = `${order}/${mechanismKey(mechanism)}`
  let divergence = remembered.get(key)
  if (divergence === undefined) {
    divergence = renyiDivergences(mechanism, [order])[0] as number
    if (remembered.size >= MOST_REMEMBERED) remembered.clear()
    remembered.set(key, divergence)
  }
  return divergence
}
