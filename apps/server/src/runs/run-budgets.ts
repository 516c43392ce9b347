import type { AccountedEvent, PrivacyEvent } from '@fedsvd/core/accounting'
import { eventOfRound, scheduleRule } from '@fedsvd/core/accounting'
import type { PrivacyTerms, RunManifest } from '@fedsvd/core/protocol'
import {
  type CentralLedger,
  type ClientCaps,
  type EpsilonBounds,
  PrivacySpending,
  type SpendingRun,
} from '../privacy/index.ts'
import { openTasks, type PayingClients } from '../rounds/index.ts'
import type { LedgerStore, RoundChange, RoundProgress } from '../storage/records/index.ts'
import { mostSteps } from './most-steps.ts'
import type { RunParticipants } from './run-participants.ts'

/** With these a client says that it has no budget left. */
const SPENT: readonly string[] = ['BUDGET_EXHAUSTED', 'BUDGET_TOO_SMALL']

export interface RunBudgetsParts {
  readonly manifest: RunManifest
  readonly participants: RunParticipants
  readonly ledger: Pick<LedgerStore, 'facts' | 'spending'>
  readonly bounds: EpsilonBounds
  readonly central: CentralLedger
  readonly caps: ClientCaps
  /** The round under way, as it is stored. */
  readonly progress: () => RoundProgress | undefined
  readonly onChange: () => void
}

/** What the clients of a run have spent in it, what they can still pay for, and what a round charges them. */
export class RunBudgets implements PayingClients, SpendingRun {
  readonly runId: string
  readonly #parts: RunBudgetsParts
  /** Steps of one more round that each client can pay for, as they were last looked at. */
  readonly #affordable = new Map<string, number>()
  /** Steps that each client was charged for the round under way. */
  readonly #charged = new Map<string, number>()
  #spending = new PrivacySpending([])

  constructor(parts: RunBudgetsParts) {
    this.#parts = parts
    this.runId = parts.manifest.runId
  }

  get spending(): PrivacySpending {
    return this.#spending
  }

  async load(): Promise<void> {
    this.#spending = new PrivacySpending(await this.#parts.ledger.spending(this.runId))
  }

  /** Facts were added to the store beside the rounds. */
  async reload(): Promise<void> {
    await this.load()
    this.#parts.onChange()
  }

  /** Caps were set: the clients may be able to pay for more, or for less. */
  capsChanged(): void {
    this.#parts.onChange()
  }

  async eligible(): Promise<readonly string[]> {
    const { remaining } = this.#parts.participants
    const steps = await Promise.all(remaining.map(({ clientId }) => this.#affordableSteps(clientId)))
    for (const [index, { clientId }] of remaining.entries()) this.#affordable.set(clientId, steps[index]!)
    return remaining.filter((_, index) => steps[index]! > 0).map(({ clientId }) => clientId)
  }

  async withBudget(): Promise<{ readonly clients: readonly string[]; readonly of: number }> {
    const { participants } = this.#parts
    const ids = participants.all.map(({ clientId }) => clientId)
    const steps = await Promise.all(ids.map((clientId) => this.#affordableSteps(clientId)))
    const able = ids.filter((_, index) => steps[index]! > 0)
    const isSpent = (clientId: string) => SPENT.includes(participants.find(clientId)?.withdrawal ?? '')
    return { clients: able.every(isSpent) ? [] : able, of: ids.length }
  }

  termsOf(clientId: string): PrivacyTerms | undefined {
    return this.#parts.participants.find(clientId)?.terms
  }

  /** What a client has spent in this run, and what it was selected to spend next. */
  eventsOf(clientId: string): readonly AccountedEvent[] {
    const spent = this.#spending.of(clientId)
    const progress = this.#parts.progress()
    const isPledged = progress?.phase === 'selected' && progress.tasks.some((task) => task.clientId === clientId)
    return isPledged ? [...spent, this.chargeOf(clientId)] : spent
  }

  /** What a client is charged for one more round. */
  chargeOf(clientId: string): PrivacyEvent {
    const event = this.#eventOf(clientId)
    return { ...event, steps: this.#affordable.get(clientId) || event.steps }
  }

  /** Forgets the charges of the round before, and reads those that an earlier process has made for this one. */
  async openRound(round: number, progress: RoundProgress | undefined): Promise<void> {
    this.#charged.clear()
    for (const { clientId } of progress?.phase === 'tasked' ? openTasks(progress) : []) {
      const facts = await this.#parts.ledger.facts(this.runId, clientId, round)
      const first = facts.find((fact) => fact.round === round && fact.attempt === 1)
      if (first !== undefined) this.#charged.set(clientId, first.event.steps)
    }
  }

  /** Follows a stored change of the round under way. */
  apply(change: RoundChange): void {
    for (const { clientId, event } of change.spent) this.#charged.set(clientId, event.steps)
    this.#spending.apply(change, (clientId) => {
      const event = this.#eventOf(clientId)
      return { ...event, steps: this.#charged.get(clientId) ?? event.steps }
    })
  }

  #eventOf(clientId: string): PrivacyEvent {
    return eventOfRound(this.#parts.manifest, this.termsOf(clientId)!)
  }

  /**
   * How many steps of one more round are certainly within the budget that the client stated, within the cap that an
   * operator has set, and within that of the client level: all of them, unless the budget is nearly spent.
   */
  async #affordableSteps(clientId: string): Promise<number> {
    const { manifest, central, bounds, caps } = this.#parts
    const { clientLevel, localSteps } = manifest
    if (clientLevel !== undefined && !(await central.canPay(clientId, clientLevel))) return 0
    const terms = this.termsOf(clientId)!
    const spent = this.#spending.of(clientId)
    return await mostSteps(localSteps, async (steps) => {
      const next = { sampleRate: terms.sampleRate, noiseMultiplier: terms.noiseMultiplier, steps }
      if (!(await bounds.of(clientId).fits([...spent, next], terms.budget, scheduleRule(terms)))) return false
      return await caps.allows(clientId, terms, steps)
    })
  }
}
