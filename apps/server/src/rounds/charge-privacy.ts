import type { PrivacyEvent } from '@fedsvd/core/accounting'
import type { PrivacyFact, RoundChange, RoundProgress, TaskState } from '../storage/records/index.ts'

/**
 * The change of a round with its meaning for privacy: a client that has been tasked may have spent, so its event counts
 * from then on, whatever becomes of the update; only an explicit refusal takes it back.
 */
export function chargePrivacy(
  before: RoundProgress | undefined,
  after: RoundProgress,
  eventOf: (clientId: string) => PrivacyEvent,
  at: number,
): RoundChange {
  const { runId, round } = after
  const stateBefore = new Map(before?.tasks.map(({ clientId, state }) => [clientId, state]))
  const changed = after.tasks.filter(({ clientId, state }) => counts(state) !== counts(stateBefore.get(clientId)))
  const spent: PrivacyFact[] = changed
    .filter(({ state }) => counts(state))
    .map(({ clientId }) => ({
      runId,
      round,
      clientId,
      attempt: 1,
      event: eventOf(clientId),
      source: 'coordinator',
      voided: false,
      recordedAt: at,
    }))
  const refunded = changed.filter(({ state }) => !counts(state)).map(({ clientId }) => clientId)
  return { ...(before && { before }), after, spent, refunded }
}

const counts = (state: TaskState | undefined): boolean =>
  state === 'tasked' || state === 'delivered' || state === 'late'
