import type { AccountedEvent } from '@fedsvd/core/accounting'
import type { ClientStore, LedgerStore, RunSpending } from '../store/index.ts'
import type { BudgetCap } from '../store/records.ts'
import type { EpsilonBounds } from './epsilon.ts'
import { SpendingBook } from './spending.ts'

/** A run under way, which knows what it has spent before the store is asked. */
export interface SpendingRun {
  readonly runId: string
  /** What a client has spent in the run, and what it was selected to spend. */
  eventsOf(clientId: string): readonly AccountedEvent[]
}

export interface ClientCapsParts {
  readonly clients: Pick<ClientStore, 'caps'>
  readonly ledger: Pick<LedgerStore, 'spendingOf'>
  readonly bounds: EpsilonBounds
  readonly runs: () => Iterable<SpendingRun>
}

/**
 * The caps that operators have put on clients. A cap bounds what all runs of this coordinator together spend of a client's
 * data, per record: the unit is the record, and a second run on the same data spends the same privacy. What the site itself
 * allows is its own ledger's business and always wins; a cap can only ask for less.
 */
export class ClientCaps {
  readonly #parts: ClientCapsParts
  #caps: ReadonlyMap<string, BudgetCap> = new Map()
  /** By run, what the capped clients have spent there, as stored. */
  #stored: ReadonlyMap<string, SpendingBook> = new Map()

  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: ClientCapsParts) {
    this.#parts = parts
  }

  /** Reads what is stored, one reading after the other; to be called whenever caps, or the spending of runs that are not under way here, may have changed. */
  load(): Promise<void> {
    const turn = this.#turn.then(() => this.#load())
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #load(): Promise<void> {
    const { clients, ledger } = this.#parts
    const caps = await clients.caps()
    const spending = caps.length === 0 ? [] : await ledger.spendingOf(caps.map(({ clientId }) => clientId))
    const byRun = new Map<string, RunSpending[]>()
    for (const one of spending) byRun.set(one.runId, [...(byRun.get(one.runId) ?? []), one])
    this.#caps = new Map(caps.map((cap) => [cap.clientId, cap]))
    this.#stored = new Map([...byRun].map(([runId, events]) => [runId, new SpendingBook(events)]))
  }

  of(clientId: string): BudgetCap | undefined {
    return this.#caps.get(clientId)
  }

  /** What a client with a cap has spent in all runs, or in all but one. */
  eventsOf(clientId: string, butIn?: string): readonly AccountedEvent[] {
    const events = new Map([...this.#stored].map(([runId, book]) => [runId, book.of(clientId)]))
    for (const run of this.#parts.runs()) events.set(run.runId, run.eventsOf(clientId))
    if (butIn !== undefined) events.delete(butIn)
    return [...events.values()].flat()
  }

  /** True when one more event is certainly within the cap of the client, or there is none. */
  async allows(clientId: string, next: AccountedEvent): Promise<boolean> {
    const cap = this.of(clientId)
    return cap === undefined || (await this.#parts.bounds.fits([...this.eventsOf(clientId), next], cap))
  }
}
