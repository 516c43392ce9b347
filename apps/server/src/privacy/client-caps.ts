import type { AccountedEvent, FilterRule } from '@fedsvd/core/accounting'
import type { Budget, PrivacyTerms } from '@fedsvd/core/protocol'
import { type ClientStore, isLarger, type LedgerStore, type RunSpending } from '../storage/records/index.ts'
import type { BudgetCap } from '../storage/records/records.ts'
import type { EpsilonBounds } from './epsilon.ts'
import { PrivacySpending } from './spending.ts'

/** A run under way, which knows what it has spent before the store is asked. */
export interface SpendingRun {
  readonly runId: string
  /** What a client has spent in the run, and what it was selected to spend. */
  eventsOf(clientId: string): readonly AccountedEvent[]
  termsOf(clientId: string): PrivacyTerms | undefined
}

export interface ClientCapsParts {
  readonly clients: Pick<ClientStore, 'caps'>
  readonly ledger: Pick<LedgerStore, 'spendingOf' | 'firstTerms'>
  readonly bounds: EpsilonBounds
  readonly runs: () => Iterable<SpendingRun>
}

/**
 * The caps that operators have put on clients. A cap bounds what all runs of this coordinator together spend of a
 * client's data, per record: the unit is the record, and a second run on the same data spends the same privacy. What
 * the site itself allows is its own ledger's business and always wins; a cap can only ask for less.
 *
 * Runs are chosen one after the other, so a cap is held by a filter (decision 40). Its rule is on no record: it is
 * computed again from the terms of the run that first used the data, and from the cap that was set first of those in an
 * unbroken fall to the one in force. Both are older than the first release where the cap is, and nothing later alters
 * them.
 */
export class ClientCaps {
  readonly #parts: ClientCapsParts
  #caps: ReadonlyMap<string, BudgetCap> = new Map()
  /** By client, the cap from which the one in force has only been lowered. */
  #origins: ReadonlyMap<string, Budget> = new Map()
  /** By client, its terms in the run that first used its data, as stored. */
  #firstTerms: ReadonlyMap<string, PrivacyTerms> = new Map()
  /** By run, what the capped clients have spent there, as stored. */
  #stored: ReadonlyMap<string, PrivacySpending> = new Map()

  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: ClientCapsParts) {
    this.#parts = parts
  }

  /**
   * Reads what is stored, one reading after the other; to be called whenever caps, or the spending of runs that are not
   * under way here, may have changed.
   */
  load(): Promise<void> {
    const turn = this.#turn.then(() => this.#load())
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #load(): Promise<void> {
    const { clients, ledger } = this.#parts
    const history = await clients.caps()
    const caps = new Map<string, BudgetCap>()
    const origins = new Map<string, BudgetCap>()
    for (const cap of history) {
      const before = caps.get(cap.clientId)
      if (before === undefined || isLarger(cap, before)) origins.set(cap.clientId, cap)
      caps.set(cap.clientId, cap)
    }
    const clientIds = [...caps.keys()]
    const spending = clientIds.length === 0 ? [] : await ledger.spendingOf(clientIds)
    this.#firstTerms = clientIds.length === 0 ? new Map() : await ledger.firstTerms(clientIds)
    const byRun = new Map<string, RunSpending[]>()
    for (const one of spending) byRun.set(one.runId, [...(byRun.get(one.runId) ?? []), one])
    this.#caps = caps
    this.#origins = origins
    this.#stored = new Map([...byRun].map(([runId, events]) => [runId, new PrivacySpending(events)]))
  }

  of(clientId: string): BudgetCap | undefined {
    return this.#caps.get(clientId)
  }

  /** What a client with a cap has spent in all runs, or in all but one. */
  eventsOf(clientId: string, butIn?: string): readonly AccountedEvent[] {
    const events = new Map([...this.#stored].map(([runId, spending]) => [runId, spending.of(clientId)]))
    for (const run of this.#parts.runs()) events.set(run.runId, run.eventsOf(clientId))
    if (butIn !== undefined) events.delete(butIn)
    return [...events.values()].flat()
  }

  /**
   * The rule by which the cap of a client is held, when the next event is of a run with these terms: undefined where
   * there is no cap, or no answer in time.
   */
  async ruleOf(clientId: string, next: PrivacyTerms): Promise<FilterRule | undefined> {
    const budget = this.#origins.get(clientId)
    if (budget === undefined) return undefined
    const { sampleRate, noiseMultiplier, budget: granted } = this.#firstTermsOf(clientId) ?? next
    const first = { sampleRate, noiseMultiplier, granted: budgetOf(granted) }
    return await this.#parts.bounds
      .of(clientId)
      .ruleFor({ spent: this.eventsOf(clientId), first, budget: budgetOf(budget) })
  }

  #firstTermsOf(clientId: string): PrivacyTerms | undefined {
    const stored = this.#firstTerms.get(clientId)
    if (stored !== undefined) return stored
    const first = [...this.#parts.runs()].find((run) => run.eventsOf(clientId).length > 0)
    return first?.termsOf(clientId)
  }

  /** True when so many more steps on these terms are certainly within the cap of the client, or there is none. */
  async allows(clientId: string, terms: PrivacyTerms, steps: number): Promise<boolean> {
    const cap = this.of(clientId)
    if (cap === undefined) return true
    const { sampleRate, noiseMultiplier } = terms
    const events = [...this.eventsOf(clientId), { sampleRate, noiseMultiplier, steps }]
    const rule = await this.ruleOf(clientId, terms)
    return rule !== undefined && (await this.#parts.bounds.of(clientId).fits(events, budgetOf(cap), rule))
  }
}

/** A cap and a budget in one form: questions to the accountants are compared as text. */
function budgetOf({ epsilon, delta }: Budget): Budget {
  return { epsilon, delta }
}
