import type { Delivery } from '../cluster/index.ts'
import { type Clock, type ReceivingRound, roundReducer, schemaHashOf } from '../rounds/index.ts'
import { type AdapterRecord, leaseLost, type RoundProgress, type RunRecord } from '../store/index.ts'
import type { LiveRun } from './live-run.ts'

/** A round that another coordinator drives: updates are checked here as they are there, and counted by its driver. */
export function roundElsewhere(
  { manifest }: RunRecord,
  progress: RoundProgress,
  base: AdapterRecord,
  { clock, deliver }: { readonly clock: Clock; deliver(delivery: Delivery): Promise<void> },
): ReceivingRound {
  const { runId, round } = progress
  return {
    round,
    base,
    run: { manifest, schemaHash: schemaHashOf(manifest.adapter), clock },
    book: { progress, dispatch: ({ clientId, update }) => deliver({ runId, round, clientId, update }) },
  }
}

/** Counts an update that another coordinator has checked and stored. Counting it again changes nothing. */
export async function countDelivery(
  { current, clock, store, manifest }: LiveRun,
  { runId, round, clientId, update }: Delivery,
): Promise<void> {
  const event = { type: 'delivered' as const, clientId, update, at: clock.now() }
  if (current?.round === round) {
    await current.book.dispatch(event)
    return
  }
  // The round is over: the update was counted before the message came again, or it comes too late and is refused here.
  const { quorum, deadlineSeconds } = manifest
  const stored = await store.rounds.find(runId, round)
  if (roundReducer({ quorum, deadlineMs: deadlineSeconds * 1000 })(stored, event) !== stored) throw leaseLost(runId)
}
