import { roundNumber } from '@fedsvd/core/errors'
import type { RoundFailed } from '@fedsvd/core/protocol'
import { type FailedClients, openTasks, type RoundContext, type RunMessages } from '../rounds/index.ts'
import type { ActiveSettings } from './active-settings.ts'
import type { RunParticipants } from './run-participants.ts'

/** A client with so many failures in a row, for reasons of its own, is not asked again until it comes back. */
const MOST_FAILURES = 3

export interface RoundFailuresParts {
  readonly settings: Pick<ActiveSettings, 'plan'>
  readonly participants: RunParticipants
  readonly alert: RunMessages['alert']
  readonly current: () => RoundContext | undefined
  readonly onChange: () => void
}

/** Which clients will not deliver in the round under way: it failed at them, or they have left it behind. */
export class RoundFailures implements FailedClients {
  readonly #parts: RoundFailuresParts
  /** The last round that failed at each client. */
  readonly #failed = new Map<string, number>()
  /** Rounds in a row that failed at each client. */
  readonly #failures = new Map<string, number>()
  /** The last round that each client said it has left behind. */
  readonly #ahead = new Map<string, number>()
  /** Clients whose whole ledger was compared since the run was loaded. */
  readonly #reported = new Set<string>()

  constructor(parts: RoundFailuresParts) {
    this.#parts = parts
  }

  hasFailed(clientId: string, round: number): boolean {
    return this.#failed.get(clientId) === round || this.#parts.participants.find(clientId)?.withdrawal !== undefined
  }

  forget(): void {
    this.#failed.clear()
  }

  /** A client reports that its round failed: others are asked in its place, and operators see why. */
  async report(clientId: string, { round, code }: RoundFailed): Promise<void> {
    const { participants, alert, onChange } = this.#parts
    if (!this.#isAsked(clientId, round) || this.hasFailed(clientId, round)) return
    this.#failed.set(clientId, round)
    const failures = 1 + (this.#failures.get(clientId) ?? 0)
    this.#failures.set(clientId, failures)
    await alert(code, `round ${roundNumber(round)} failed at the client`, clientId)
    if (code === 'SITE_DECLINED' && failures >= MOST_FAILURES) await participants.withdraw(clientId, code)
    onChange()
  }

  /** The client has delivered an update: it no longer fails. */
  noteDelivered(clientId: string): void {
    this.#failures.delete(clientId)
  }

  noteAhead(clientId: string, round: number): void {
    this.#ahead.set(clientId, round)
  }

  /** All that the client's ledger holds for this run is charged. */
  noteLedgerReport(clientId: string): void {
    this.#reported.add(clientId)
    this.#parts.onChange()
  }

  areAllAheadOf(round: number): boolean {
    const { participants, settings } = this.#parts
    const { all, remaining } = participants
    if (remaining.length === 0 || all.length < settings.plan.quorum) return false
    // What it has spent is on record first: a client reports nothing of a run that has ended.
    return remaining.every(({ clientId }) => this.#ahead.get(clientId) === round && this.#reported.has(clientId))
  }

  #isAsked(clientId: string, round: number): boolean {
    const current = this.#parts.current()
    const progress = current?.round === round ? current.journal.progress : undefined
    return progress !== undefined && openTasks(progress).some((task) => task.clientId === clientId)
  }
}
