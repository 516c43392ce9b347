import { type AccountedEvent, mechanismKey } from '@fedsvd/core/accounting'
import type { RoundChange, Spending } from '../storage/records/index.ts'

/** What each client of one run has spent, as composed events; follows the store change by change. */
export class PrivacySpending {
  readonly #clients = new Map<string, Map<string, AccountedEvent>>()

  constructor(stored: readonly Spending[]) {
    for (const { clientId, ...event } of stored) this.#add(clientId, event, event.steps)
  }

  /** The events of a client, those of one mechanism added up. */
  of(clientId: string): readonly AccountedEvent[] {
    return [...(this.#clients.get(clientId)?.values() ?? [])]
  }

  stepsOf(clientId: string): number {
    return this.of(clientId).reduce((sum, { steps }) => sum + steps, 0)
  }

  apply({ spent, refunded }: RoundChange, eventOf: (clientId: string) => AccountedEvent): void {
    for (const { clientId, event } of spent) this.#add(clientId, event, event.steps)
    for (const clientId of refunded) this.#add(clientId, eventOf(clientId), -eventOf(clientId).steps)
  }

  #add(clientId: string, event: AccountedEvent, steps: number): void {
    const { sampleRate, noiseMultiplier } = event
    const events = this.#clients.get(clientId) ?? new Map<string, AccountedEvent>()
    this.#clients.set(clientId, events)
    const key = mechanismKey(event)
    const total = (events.get(key)?.steps ?? 0) + steps
    if (total > 0) events.set(key, { sampleRate, noiseMultiplier, steps: total })
    else events.delete(key)
  }
}
