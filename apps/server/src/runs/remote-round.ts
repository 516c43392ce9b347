import { acceptsStaleUpdates } from '@fedsvd/core/protocol'
import type { Delivery } from '../ownership/index.ts'
import type { Clock } from '../platform/index.ts'
import { checkAdmissible, type ReceivingRound, reduceRound, requireFresh, schemaHashOf } from '../rounds/index.ts'
import { leaseLost, type RunRecord, type Store } from '../storage/records/index.ts'
import type { ActiveRun } from './active-run.ts'
import type { AlertDesk } from './run-alerts.ts'

interface RemoteRoundParts {
  readonly store: Store
  readonly alerts: AlertDesk
  readonly clock: Clock
  deliver(delivery: Delivery): Promise<void>
}

/**
 * The current round of a run that another coordinator owns, as it is stored: updates are checked here as they are
 * there, and counted by the owner.
 */
export async function remoteRound(
  { manifest }: RunRecord,
  { store, alerts, clock, deliver }: RemoteRoundParts,
): Promise<ReceivingRound | undefined> {
  const { runId } = manifest
  const round = await store.rounds.publishedCount(runId)
  const base = await store.adapters.find(runId, round)
  if (base === undefined) return undefined
  const progress = await store.rounds.find(runId, round)
  return {
    round,
    base,
    run: {
      settings: {
        manifest,
        schemaHash: schemaHashOf(manifest.adapter),
        acceptsStaleUpdates: acceptsStaleUpdates(manifest),
      },
      time: { clock },
      storage: { store },
      messages: {
        alert: async (code, message, clientId) => {
          await alerts.of(runId).raise(code, message, clientId)
        },
      },
    },
    journal: {
      progress,
      dispatch: (event) => {
        const madeIn = event.type === 'late' ? event.round : round
        return deliver({ runId, round: madeIn, clientId: event.clientId, update: event.update })
      },
    },
  }
}

/** Counts an update that another coordinator has checked and stored. Counting it again changes nothing. */
export async function countDelivery(live: ActiveRun, { runId, round, clientId, update }: Delivery): Promise<void> {
  const { current } = live.rounds
  const { acceptsStaleUpdates } = live.settings
  const at = live.time.clock.now()
  if (current?.round === round) {
    await current.journal.dispatch({ type: 'delivered', clientId, update, at })
    return
  }
  const stored = await live.storage.store.rounds.find(runId, round)
  const task = checkAdmissible(stored, clientId, acceptsStaleUpdates)
  if (task.update === undefined && acceptsStaleUpdates && current !== undefined) {
    requireFresh(current, round)
    await current.journal.dispatch({ type: 'late', clientId, round, update, at })
    return
  }
  // The round is over: the update was counted before the message came again, or it comes too late and is refused here.
  if (reduceRound(stored, { type: 'delivered', clientId, update, at }) !== stored) throw leaseLost(runId)
}
