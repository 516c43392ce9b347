import type { RoundProgress } from '../storage/records/index.ts'

/** Which round each client was last asked to train and has not answered yet, over all rounds of a run. */
export class PendingAssignments {
  readonly #rounds = new Map<string, number>()

  /** Takes over what a round says of its clients; rounds may come again, and only the newest counts. */
  follow({ round, tasks, late = [] }: RoundProgress): void {
    for (const { clientId, state } of tasks) {
      const known = this.#rounds.get(clientId)
      if (known !== undefined && known > round) continue
      if (state === 'tasked') this.#rounds.set(clientId, round)
      else if (state !== 'selected') this.#rounds.delete(clientId)
    }
    for (const { clientId, round: madeIn } of late) {
      if (this.#rounds.get(clientId) === madeIn) this.#rounds.delete(clientId)
    }
  }

  roundOf(clientId: string): number | undefined {
    return this.#rounds.get(clientId)
  }

  /** Clients that train for a round before this one. */
  before(round: number): readonly string[] {
    return [...this.#rounds].filter(([, open]) => open < round).map(([clientId]) => clientId)
  }

  /** Forgets what is older than this round, and says what that was. */
  forgetBefore(round: number): readonly (readonly [string, number])[] {
    const old = [...this.#rounds].filter(([, open]) => open < round)
    for (const [clientId] of old) this.#rounds.delete(clientId)
    return old
  }
}
