import type { PrivacyEvent } from '@fedsvd/core/accounting'
import type { LedgerReport } from '@fedsvd/core/protocol'
import type { Known, PrivacyFact } from '../store/index.ts'
import { sameEvent } from './same-event.ts'

export interface Reconciliation {
  /** Facts that the client's ledger holds and the coordinator did not count. */
  readonly adopt: readonly PrivacyFact[]
  /** What the two records disagree about, one sentence each; empty when they agree. */
  readonly disagreements: readonly string[]
}

/**
 * Compares a client's own ledger with what the coordinator knows of the same rounds.
 *
 * The client knows more after a crash between reservation and upload: those facts are adopted, so the coordinator's
 * epsilon is never below what the client has reserved. It may know less only where it was invited and did not begin; an
 * update that was accepted, or a reservation that it reported before, cannot vanish from an honest ledger.
 */
export function reconcile(input: {
  readonly report: LedgerReport
  readonly clientId: string
  /** What the coordinator knew of the same rounds. */
  readonly known: Known
  /** The event of one round under the terms of the run. */
  readonly agreed: PrivacyEvent
  readonly now: number
}): Reconciliation {
  const { report, clientId, known, agreed, now } = input
  const { runId, reservations } = report
  const keyOf = ({ round, attempt }: { round: number; attempt: number }): string => `${round}/${attempt}`
  const knownByKey = new Map(known.facts.map((fact) => [keyOf(fact), fact]))
  const reported = new Set(reservations.map(keyOf))
  const reportedRounds = new Set(reservations.map(({ round }) => round))
  const adopt = reservations
    .filter((reservation) => knownByKey.get(keyOf(reservation))?.voided !== false)
    .map(({ round, attempt, event }): PrivacyFact => {
      return {
        runId,
        round,
        clientId,
        attempt,
        event,
        source: 'client',
        voided: false,
        recordedAt: now,
        reportedAt: now,
      }
    })
  const disagreements = [
    ...reservations
      .filter(({ attempt, event }) => !isOwed(event, attempt, agreed))
      .map(({ round, attempt }) => `round ${round}, attempt ${attempt}: the event is not the one that the terms give`),
    ...known.delivered
      .filter((round) => !reportedRounds.has(round))
      .map((round) => `round ${round}: an update was accepted that the client's ledger does not hold`),
    ...known.facts
      .filter((fact) => fact.source === 'client' && !fact.voided && !reported.has(keyOf(fact)))
      .map(
        ({ round, attempt }) => `round ${round}, attempt ${attempt}: the client reported it before and no longer does`,
      ),
  ]
  return { adopt, disagreements }
}

/** A first attempt costs the round; a later one as well, or one step where it goes on with one that broke off. */
function isOwed(event: PrivacyEvent, attempt: number, agreed: PrivacyEvent): boolean {
  return sameEvent(event, agreed) || (attempt > 1 && sameEvent(event, { ...agreed, steps: 1 }))
}
