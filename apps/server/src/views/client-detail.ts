import type { ClientView, Participation } from '@fedsvd/core/protocol'
import { type Caller, ownsRun } from '../identity/index.ts'
import type { ClientRecord, Participant, RunRecord, Store } from '../storage/records/index.ts'
import { iso } from './iso.ts'

const MOST_ALERTS = 1000

/** A client as operators see it in a list. */
export function clientView(client: ClientRecord, connected: boolean): ClientView {
  const { id, name, enrolledAt, revokedAt, lastSeenAt, version } = client
  return {
    clientId: id,
    name,
    enrolledAt: iso(enrolledAt),
    ...(revokedAt !== undefined && { revokedAt: iso(revokedAt) }),
    connected,
    ...(lastSeenAt !== undefined && { lastSeenAt: iso(lastSeenAt) }),
    ...(version !== undefined && { version }),
  }
}

/** What a client did in the runs that the caller may see, the newest run first. */
export async function participationsOf(store: Store, clientId: string, caller: Caller): Promise<Participation[]> {
  const participants = await store.participants.ofClient(clientId)
  const found = await Promise.all(participants.map(async (one) => [one, await store.runs.find(one.runId)] as const))
  const visible = found.filter((pair): pair is readonly [Participant, RunRecord] => {
    const [, run] = pair
    return run !== undefined && ownsRun(caller, run)
  })
  visible.sort(([, left], [, right]) => right.createdAt - left.createdAt)
  return await Promise.all(visible.map(([participant, run]) => participationOf(store, participant, run)))
}

async function participationOf(store: Store, participant: Participant, run: RunRecord): Promise<Participation> {
  const { runId, clientId, terms, joinedAt, withdrawal } = participant
  const [facts, delivered, alerts] = await Promise.all([
    store.ledger.facts(runId, clientId, 0),
    store.ledger.delivered(runId, clientId, 0),
    store.alerts.list(runId, MOST_ALERTS),
  ])
  return {
    runId,
    name: run.manifest.name,
    state: run.state,
    joinedAt: iso(joinedAt),
    terms,
    ...(withdrawal !== undefined && { withdrawal }),
    facts: facts.map(({ round, attempt, event, source, voided, recordedAt, reportedAt, quarantinedAt }) => ({
      round,
      attempt,
      event,
      source,
      voided,
      recordedAt: iso(recordedAt),
      ...(reportedAt !== undefined && { reportedAt: iso(reportedAt) }),
      ...(quarantinedAt !== undefined && { quarantinedAt: iso(quarantinedAt) }),
    })),
    delivered: [...delivered],
    alerts: alerts
      .filter((alert) => alert.clientId === clientId)
      .map(({ code, message, at }) => ({ code, message, at: iso(at) })),
  }
}
