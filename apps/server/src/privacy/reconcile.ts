import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { roundNumber } from '@fedsvd/core/errors'
import type { LedgerReport } from '@fedsvd/core/protocol'
import type { KnownSpending, PrivacyFact } from '../storage/records/index.ts'
import { sameEvent } from './same-event.ts'

export interface Reconciliation {
  /** Facts of rounds that have begun which the client's ledger holds and the coordinator did not count. */
  readonly adopt: readonly PrivacyFact[]
  /** Steps that the client has spent in rounds that have not begun here; as they were where the report does not say. */
  readonly stepsAhead: number
  /** What the two records disagree about, one sentence each; empty when they agree. */
  readonly disagreements: readonly string[]
}

/**
 * Attempts beyond the first, of a client in a run, that are taken over: each stands for a crash between two lines of a
 * ledger.
 */
export const MOST_REPEATS = 1000

type Reservation = LedgerReport['reservations'][number]

export interface ReconciliationInput {
  readonly report: LedgerReport
  readonly clientId: string
  /** What the coordinator knew of the same rounds. */
  readonly known: KnownSpending
  /** The event of one round under the terms of the run. */
  readonly agreed: PrivacyEvent
  /** So many rounds have begun here: the client may have made later ones with a coordinator that was restored since. */
  readonly begun: number
  /** Steps in rounds that have not begun, as the last report had them. */
  readonly stepsAhead: number
  readonly now: number
}

/**
 * Compares a client's own ledger with what the coordinator knows of the same rounds.
 *
 * The client knows more after a crash between reservation and upload: those facts are adopted, so the coordinator's
 * epsilon is never below what the client has reserved. It may know less only where it was invited and did not begin; an
 * update that was accepted, or a reservation that it reported before, cannot vanish from an honest ledger.
 *
 * Only facts that are owed are adopted: the event that the terms give, or the single step of an attempt that goes on
 * with one before it. Anything else is a disagreement and nothing more. Rounds that have not begun are charged as one
 * number.
 */
export function reconcile(input: ReconciliationInput): Reconciliation {
  const { report, clientId, known, agreed, begun, now } = input
  const { runId, since = 0 } = report
  const knownByKey = new Map(known.facts.map((fact) => [keyOf(fact), fact]))
  const reported = new Set(report.reservations.map(keyOf))
  const { owed, faults } = owedOf(report.reservations, agreed)
  const ahead = owed.filter(({ round }) => round >= begun)
  const news = owed.filter(({ round, attempt }) => {
    const fact = knownByKey.get(keyOf({ round, attempt }))
    return round < begun && (fact === undefined || fact.voided)
  })
  const repeats = news.filter(({ attempt }) => attempt > 1)
  const room = Math.max(0, MOST_REPEATS - known.facts.filter(({ attempt }) => attempt > 1).length)
  const tooMany = new Set(repeats.slice(room).map(keyOf))
  const adopt = news
    .filter((reservation) => !tooMany.has(keyOf(reservation)))
    .map(({ round, attempt, event }): PrivacyFact => {
      const fact = { runId, round, clientId, attempt, event, source: 'client' as const, voided: false }
      return { ...fact, recordedAt: now, reportedAt: now }
    })
  const stepsAhead = stepsOf(ahead)
  const isAheadMissing = since <= begun && stepsAhead + stepsOf(news) < input.stepsAhead
  const reportedRounds = new Set(report.reservations.map(({ round }) => round))
  const disagreements = [
    ...faults,
    ...(tooMany.size > 0 ? [`${tooMany.size} attempts more than the ${MOST_REPEATS} repeated ones of a run`] : []),
    ...(isAheadMissing ? ['the client reported reservations of rounds to come before and no longer does'] : []),
    ...known.delivered
      .filter((round) => !reportedRounds.has(round))
      .map((round) => `round ${roundNumber(round)}: an update was accepted that the client's ledger does not hold`),
    ...known.facts
      .filter(({ source, voided, quarantinedAt }) => source === 'client' && !voided && quarantinedAt === undefined)
      .filter((fact) => !reported.has(keyOf(fact)))
      .map(
        ({ round, attempt }) =>
          `round ${roundNumber(round)}, attempt ${attempt}: the client reported it before and no longer does`,
      ),
  ]
  const isComplete = since <= begun && !isAheadMissing
  return { adopt, stepsAhead: isComplete ? stepsAhead : Math.max(stepsAhead, input.stepsAhead), disagreements }
}

/**
 * The reservations that follow from the terms, and what is wrong with the others. An attempt costs the round, or fewer
 * steps: as many as the budget pays for, or one where it goes on with an attempt that broke off.
 */
function owedOf(reservations: readonly Reservation[], agreed: PrivacyEvent) {
  const held = new Set(reservations.map(keyOf))
  const seen = new Set<string>()
  const owed: Reservation[] = []
  const faults: string[] = []
  for (const reservation of reservations) {
    const { round, attempt, event } = reservation
    const fault = seen.has(keyOf(reservation))
      ? 'it is reported twice'
      : attempt > 1 && !held.has(keyOf({ round, attempt: attempt - 1 }))
        ? 'the attempt before it is missing'
        : isShareOf(event, agreed)
          ? undefined
          : 'the event is not the one that the terms give'
    seen.add(keyOf(reservation))
    if (fault === undefined) owed.push(reservation)
    else faults.push(`round ${roundNumber(round)}, attempt ${attempt}: ${fault}`)
  }
  return { owed, faults }
}

/** True for the event of a round, or of fewer of its steps. */
function isShareOf(event: PrivacyEvent, agreed: PrivacyEvent): boolean {
  const { steps } = event
  return sameEvent(event, { ...agreed, steps }) && Number.isInteger(steps) && steps >= 1 && steps <= agreed.steps
}

const keyOf = ({ round, attempt }: { round: number; attempt: number }): string => `${round}/${attempt}`

function stepsOf(reservations: readonly Reservation[]): number {
  return reservations.reduce((sum, { event }) => sum + event.steps, 0)
}
