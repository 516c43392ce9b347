import { layoutOf, type RunManifest } from '@fedsvd/core/protocol'
import { BOUND, isEvaluationRound } from '@fedsvd/core/site-evaluation'
import type { RoundContext } from './context.ts'
import { decodeUpdate } from './frames.ts'
import { deliveredTasks } from './progress.ts'

/**
 * Stores what the sites counted of the state that this round starts from, beside the round that it came out of. The
 * counts of stale updates are of older states, and are left out.
 */
export async function storeSiteEvaluation({
  run,
  round,
  journal,
  base,
}: RoundContext<'settings' | 'storage' | 'budgets' | 'messages'>): Promise<void> {
  const { manifest, schemaHash } = run.settings
  if (!isEvaluationRound(manifest, round)) return
  const sites: { readonly clientId: string; readonly counts: readonly number[] }[] = []
  for (const { clientId, update } of deliveredTasks(journal.progress!)) {
    const bytes = await run.storage.blobs.read(update.sha256)
    const { evaluation } = decodeUpdate(manifest, { schemaHash, round, basis: base.basis, clientId }, bytes)
    if (evaluation === undefined) continue
    const { declaredRecords } = run.budgets.termsOf(clientId)!
    if (isPossible(manifest, evaluation, declaredRecords)) sites.push({ clientId, counts: [...evaluation] })
    else run.messages.log.warn({ clientId, round }, 'counts that no site can have are left out of the evaluation')
  }
  if (sites.length > 0) await run.storage.store.rounds.setSiteEvaluation(manifest.runId, round - 1, { sites })
}

/** Twelve standard deviations of noise, beyond which the sampler draws about never. */
const MOST_NOISE = 12

/** Each cell is within what all declared units can add to it, and its noise. */
function isPossible(manifest: RunManifest, counts: Float32Array, declaredRecords: number): boolean {
  const noise = MOST_NOISE * manifest.siteEvaluation!.noiseMultiplier * BOUND
  return (
    counts.length === layoutOf(manifest).cells &&
    counts.every((count) => count >= -noise && count <= declaredRecords * BOUND + noise)
  )
}
