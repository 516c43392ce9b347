import type { ErrorCode } from '@fedsvd/core/errors'
import type { ReadyClients } from '../rounds/index.ts'
import type { Participant, ParticipantStore } from '../storage/records/index.ts'

export interface RunParticipantsParts {
  readonly runId: string
  readonly store: Pick<ParticipantStore, 'ofRun' | 'setWithdrawal'>
  readonly onChange: () => void
}

/** Who takes part in a run, on which terms, who of them is connected, and who has withdrawn. */
export class RunParticipants implements ReadyClients {
  readonly #parts: RunParticipantsParts
  readonly #participants = new Map<string, Participant>()
  readonly #ready = new Set<string>()
  readonly #refusedTerms = new Map<string, number>()

  constructor(parts: RunParticipantsParts) {
    this.#parts = parts
  }

  async load(): Promise<void> {
    const { runId, store } = this.#parts
    for (const participant of await store.ofRun(runId)) this.#participants.set(participant.clientId, participant)
  }

  /** By client identifier, ascending; withdrawn ones included. */
  get all(): readonly Participant[] {
    return [...this.#participants.values()].sort((left, right) => (left.clientId < right.clientId ? -1 : 1))
  }

  /** Those that have not withdrawn. */
  get remaining(): readonly Participant[] {
    return this.all.filter(({ withdrawal }) => withdrawal === undefined)
  }

  find(clientId: string): Participant | undefined {
    return this.#participants.get(clientId)
  }

  isReady(clientId: string): boolean {
    return this.#ready.has(clientId) && this.find(clientId)?.withdrawal === undefined
  }

  /** The client is connected and takes part. */
  enter(participant: Participant): void {
    this.#participants.set(participant.clientId, participant)
    this.#ready.add(participant.clientId)
    this.#parts.onChange()
  }

  leave(clientId: string): void {
    if (this.#ready.delete(clientId)) this.#parts.onChange()
  }

  async withdraw(clientId: string, code: ErrorCode): Promise<void> {
    const { runId, store, onChange } = this.#parts
    const participant = this.find(clientId)
    if (participant === undefined) return
    await store.setWithdrawal(runId, clientId, code)
    this.#participants.set(clientId, { ...participant, withdrawal: code })
    onChange()
  }

  /** How often the terms of a client were refused since the run was loaded, those without a verdict yet included. */
  refusalsOf(clientId: string): number {
    return this.#refusedTerms.get(clientId) ?? 0
  }

  /** Terms count as refused from when they are stated until there is another verdict. */
  noteTerms(clientId: string, what: 'stated' | 'accepted' | 'unanswered'): void {
    this.#refusedTerms.set(clientId, this.refusalsOf(clientId) + (what === 'stated' ? 1 : -1))
  }
}
