import { acceptsStaleUpdates, type RunManifest } from '@fedsvd/core/protocol'
import { type BusyClients, earliestFor, type RoundContext } from '../rounds/index.ts'
import type { RoundProgress, RoundStore } from '../storage/records/index.ts'

export interface PendingAssignmentsParts {
  readonly manifest: RunManifest
  readonly rounds: Pick<RoundStore, 'history'>
  readonly current: () => RoundContext | undefined
  /** Called for each client whose update of this round is not taken any more. */
  readonly onExpired: (clientId: string, round: number) => void
}

/** Which round each client was last asked to train and has not answered yet, over all rounds of a run. */
export class PendingAssignments implements BusyClients {
  readonly #parts: PendingAssignmentsParts
  readonly #acceptsStaleUpdates: boolean
  readonly #rounds = new Map<string, number>()

  constructor(parts: PendingAssignmentsParts) {
    this.#parts = parts
    this.#acceptsStaleUpdates = acceptsStaleUpdates(parts.manifest)
  }

  /** Reads what is open of the rounds whose updates `round` may still count. */
  async load(round: number): Promise<void> {
    if (!this.#acceptsStaleUpdates) return
    const { manifest, rounds } = this.#parts
    const since = earliestFor(round, manifest)
    for (const progress of await rounds.history(manifest.runId, since, round - since + 1)) this.follow(progress)
  }

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

  stillTraining(): readonly string[] {
    if (!this.#acceptsStaleUpdates) return []
    return this.#openBefore(this.#parts.current()?.round ?? 0).map(([clientId]) => clientId)
  }

  /** The closed round for which a client may still send an update; undefined where there is none. */
  staleRoundOf(clientId: string): number | undefined {
    const current = this.#parts.current()
    const round = this.#acceptsStaleUpdates ? this.#rounds.get(clientId) : undefined
    return round === current?.round && current?.journal.progress?.phase === 'tasked' ? undefined : round
  }

  expireBefore(round: number): void {
    const expired = this.#openBefore(round)
    for (const [clientId] of expired) this.#rounds.delete(clientId)
    for (const [clientId, old] of expired) this.#parts.onExpired(clientId, old)
  }

  #openBefore(round: number): readonly (readonly [string, number])[] {
    return [...this.#rounds].filter(([, open]) => open < round)
  }
}
