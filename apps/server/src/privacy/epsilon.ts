import {
  type AccountedEvent,
  closedFormEpsilon,
  type FilterRule,
  mechanismKey,
  mergeEvents,
  scheduleRule,
} from '@fedsvd/core/accounting'
import { type Budget, isAccountable, LIMITS } from '@fedsvd/core/protocol'
import { LRUCache } from 'lru-cache'
import {
  type AccountingThread,
  type NoiseQuestion,
  type Question,
  type RuleQuestion,
  sharedAccountingThread,
} from './accounting/index.ts'

/**
 * An upper bound on epsilon, and by which accountant; `closed-form` is loose, and infinite where nothing bounds the
 * events.
 */
export interface Bound {
  readonly epsilon: number
  readonly by: 'pld' | 'rdp' | 'closed-form'
}

/**
 * Epsilon of facts, computed away from the event loop. Nothing here rejects because of what the facts are: events that
 * no accountant can count have an infinite bound, and are within no budget.
 */
export interface EpsilonBounds {
  /** The same for questions about one client: where they take long, those about others do not wait. */
  of(clientId: string): EpsilonBounds
  /** The upper bound that is shown, at this delta; 0 for no events. */
  epsilonUpperBound(events: readonly AccountedEvent[], delta: number): Promise<Bound>
  /** The bound of the Renyi accountant. */
  renyi(events: readonly AccountedEvent[], delta: number): Promise<Bound>
  /** True when the filter of the rule certainly admits the events, the next one included, within the budget. */
  fits(events: readonly AccountedEvent[], budget: Budget, rule: FilterRule): Promise<boolean>
  /** What `ruleOfFacts` decides; undefined where there was no answer in time. */
  ruleFor(question: RuleQuestion): Promise<FilterRule | undefined>
  /**
   * The noise with which so many steps spend the budget; undefined where there was no answer in time.
   *
   * @throws FedsvdError BUDGET_TOO_SMALL or CONFIG_INVALID as `calibrateNoiseMultiplier`
   */
  noiseFor(question: NoiseQuestion): Promise<number | undefined>
}

const MOST_REMEMBERED = 10_000
/** How long a question that had no answer in time is not asked again. */
const NO_ANSWER_MS = 60_000
/**
 * Below this noise, or with more steps or mechanisms, PLD takes seconds and RDP is within a part in five hundred of it.
 */
const LEAST_NOISE_FOR_PLD = 0.05
const MOST_STEPS_FOR_PLD = 1e8
const MOST_MECHANISMS_FOR_PLD = 50
/** More mechanisms than this are in no honest ledger; each costs RDP tens of milliseconds. */
const MOST_MECHANISMS = 1000

/** Recomputes epsilon from facts with the clients' own code, and remembers what it has computed. */
export function epsilonBounds(
  thread: AccountingThread = sharedAccountingThread(),
  { noAnswerMs = NO_ANSWER_MS }: { readonly noAnswerMs?: number | undefined } = {},
): EpsilonBounds {
  const known = new LRUCache<string, number>({ max: MOST_REMEMBERED })
  /** Questions of callers that had no answer in time. */
  const asking = new LRUCache<string, Promise<number | undefined>>({ max: MOST_REMEMBERED })
  const ask: Ask = (whose, question, urgency) => {
    const text = JSON.stringify(question)
    const value = known.get(text)
    if (value !== undefined) return Promise.resolve(value)
    const key = `${whose ?? ''} ${text}`
    const before = asking.get(key)
    if (before !== undefined) return before
    const asked = thread.ask(question, urgency, whose)
    asking.set(key, asked)
    // That there was no answer is true of that moment only, and a client must not be unable to pay for ever because of
    // it.
    void asked.then(
      (answer) => {
        if (answer === undefined) return asking.set(key, asked, { ttl: noAnswerMs })
        known.set(text, answer)
        return asking.delete(key)
      },
      () => asking.delete(key),
    )
    return asked
  }
  return boundsFor(undefined, ask)
}

type Ask = (whose: string | undefined, question: Question, urgency: 'urgent' | 'shown') => Promise<number | undefined>

function boundsFor(whose: string | undefined, askFor: Ask): EpsilonBounds {
  const ask = (question: Question, urgency: 'urgent' | 'shown') => askFor(whose, question, urgency)
  const askBound = (by: 'rdp' | 'pld', events: readonly AccountedEvent[], delta: number, urgency: 'urgent' | 'shown') =>
    ask({ kind: 'bound', by, events: mergeEvents(events), delta }, urgency).catch(() => undefined)

  async function renyi(
    events: readonly AccountedEvent[],
    delta: number,
    urgency: 'urgent' | 'shown' = 'shown',
  ): Promise<Bound> {
    const atOnce: Bound = { epsilon: closedFormEpsilon(events, delta), by: 'closed-form' }
    if (events.length === 0 || !isCountable(events, delta)) return atOnce
    const epsilon = await askBound('rdp', events, delta, urgency)
    return epsilon === undefined || epsilon > atOnce.epsilon ? atOnce : { epsilon, by: 'rdp' }
  }

  return {
    of: (clientId) => boundsFor(clientId, askFor),
    renyi: (events, delta) => renyi(events, delta),
    async epsilonUpperBound(events, delta) {
      if (events.length === 0) return { epsilon: 0, by: 'pld' }
      if (isCountable(events, delta) && isQuickForPld(events)) {
        const epsilon = await askBound('pld', events, delta, 'shown')
        if (epsilon !== undefined) return { epsilon, by: 'pld' }
      }
      return await renyi(events, delta)
    },
    async fits(events, budget, rule) {
      const { epsilon, delta } = budget
      if (rule.kind === 'renyi') {
        if (!isCountable(events, delta)) return false
        const question: Question = { kind: 'admits', rule, events: mergeEvents(events), budget }
        return (await ask(question, 'urgent').catch(() => undefined)) === 1
      }
      // As the filter does: one mechanism by the fast accountant, then by the tight one; Gaussians as though not
      // sampled.
      if (rule.kind === 'schedule' && !events.every((event) => mechanismKey(event) === mechanismKey(rule))) return false
      const counted = rule.kind === 'schedule' ? events : events.map((event) => ({ ...event, sampleRate: 1 }))
      if (!isCountable(events, delta)) return closedFormEpsilon(counted, delta) <= epsilon
      if ((await renyi(counted, delta, 'urgent')).epsilon <= epsilon) return true
      if (!isQuickForPld(counted)) return false
      return ((await askBound('pld', counted, delta, 'urgent')) ?? Number.POSITIVE_INFINITY) <= epsilon
    },
    async ruleFor({ spent, first, budget }) {
      const { sampleRate, noiseMultiplier } = first
      if (!isCountable([...spent, { sampleRate, noiseMultiplier, steps: 1 }], budget.delta)) return undefined
      // How often each mechanism was used decides nothing, so a round more is not another question.
      const mechanisms = mergeEvents(spent).map((event) => ({ ...event, steps: 1 }))
      const question: Question = { kind: 'order', spent: mechanisms, first, budget }
      const order = await ask(question, 'urgent').catch(() => undefined)
      if (order === undefined) return undefined
      return order > 0 ? { kind: 'renyi', order } : scheduleRule(first)
    },
    noiseFor: (question) => ask({ kind: 'noise', ...question }, 'urgent'),
  }
}

function isCountable(events: readonly AccountedEvent[], delta: number): boolean {
  return events.length <= MOST_MECHANISMS && delta >= LIMITS.delta.least && delta < 1 && events.every(isAccountable)
}

function isQuickForPld(events: readonly AccountedEvent[]): boolean {
  const steps = events.reduce((sum, event) => sum + event.steps, 0)
  return (
    events.length <= MOST_MECHANISMS_FOR_PLD &&
    steps <= MOST_STEPS_FOR_PLD &&
    events.every(({ noiseMultiplier }) => noiseMultiplier >= LEAST_NOISE_FOR_PLD)
  )
}
