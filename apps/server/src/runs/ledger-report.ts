import { eventOfRound, type SiteUnit, unitOfRun } from '@fedsvd/core/accounting'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import type { LedgerReply, LedgerReport, RunManifest } from '@fedsvd/core/protocol'
import { reconcile } from '../privacy/index.ts'
import type { Participant, Store } from '../storage/records/index.ts'
import type { ActiveRun } from './active-run.ts'
import type { RunAlerts } from './run-alerts.ts'

const MOST_STEPS = 2 ** 31 - 1

export interface LedgerReportParts {
  readonly manifest: RunManifest
  readonly participant: Participant
  readonly store: Store
  readonly alerts: RunAlerts
  readonly now: number
  /** The run when it is open. */
  readonly live: ActiveRun | undefined
}

/** Takes over what a client's ledger holds and the coordinator did not know, and says where the two disagree. */
export async function acceptLedgerReport(report: LedgerReport, parts: LedgerReportParts): Promise<LedgerReply> {
  const { manifest, participant, store, alerts, now, live } = parts
  const { runId, since = 0 } = report
  const { clientId, terms } = participant
  const begun = 1 + (live?.rounds.current?.round ?? (await store.rounds.publishedCount(runId)))
  checkReport(report, Math.max(manifest.rounds, begun), unitOfRun(manifest))
  const known = await store.ledger.report({ runId, clientId, sinceRound: since, held: report.reservations, at: now })
  const agreed = eventOfRound(manifest, terms)
  const { stepsAhead: before } = known
  const { adopt, stepsAhead, disagreements } = reconcile({
    report,
    clientId,
    known,
    agreed,
    begun,
    stepsAhead: before,
    now,
  })
  if (adopt.length > 0) await store.ledger.adopt(adopt)
  if (stepsAhead !== before) await store.ledger.setAhead(runId, clientId, stepsAhead)
  if (adopt.length > 0 || stepsAhead !== before) await live?.budgets.reload()
  if (stepsAhead > before) await tellAhead(parts, { begun, steps: stepsAhead })
  if (since === 0) live?.failures.noteLedgerReport(clientId)
  if (disagreements.length === 0) return { agrees: true }
  const shown = disagreements.slice(0, 3).join('; ')
  const error = new FedsvdError('LEDGER_MISMATCH', {
    expected: 'a ledger that holds what the coordinator has accepted, under the terms of the run',
    got: disagreements.length > 3 ? `${shown}; and ${disagreements.length - 3} more` : shown,
    remedy: 'Check whether the ledger of the client was restored from a copy.',
  })
  if (live !== undefined) await live.messages.alert(error.code, error.message, clientId)
  else await alerts.raise(error.code, error.message, clientId)
  return { agrees: false, error: error.toJSON() }
}

/** The client has been further with a coordinator that was restored since from a backup. */
async function tellAhead(
  { participant: { clientId }, live, alerts }: LedgerReportParts,
  { begun, steps }: { readonly begun: number; readonly steps: number },
): Promise<void> {
  const message =
    `its ledger holds ${steps} steps of rounds that have not begun here: this coordinator knows ${begun}, so it was restored ` +
    'from an older backup. They are charged. The client makes none of its rounds again and takes part from the next one on; where ' +
    'too few other clients can make up for it, restore a newer backup, or stop the run and begin another.'
  if (live !== undefined) await live.messages.alert('ROUNDS_AHEAD', message, clientId)
  else await alerts.raise('ROUNDS_AHEAD', message, clientId)
}

function checkReport({ reservations, since = 0 }: LedgerReport, rounds: number, unit: SiteUnit): void {
  const fits = ({ round, event }: LedgerReport['reservations'][number]): boolean =>
    round >= since && round < rounds && event.steps <= MOST_STEPS && event.unit === unit
  const odd = reservations.find((reservation) => !fits(reservation))
  if (odd === undefined && since <= rounds) return
  throw new FedsvdError('MESSAGE_INVALID', {
    expected: `reservations of rounds ${Math.min(roundNumber(since), rounds)} to ${rounds} with at most ${MOST_STEPS} steps, per ${unit}`,
    got:
      odd === undefined
        ? `those since round ${roundNumber(since)}`
        : `round ${roundNumber(odd.round)} with ${odd.event.steps} steps, per ${odd.event.unit}`,
    remedy: 'Report what the ledger holds for this run.',
  })
}
