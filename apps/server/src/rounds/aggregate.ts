import { beginAggregation } from '@fedsvd/core/federation'
import { trainedSpecs } from '@fedsvd/core/lora'
import { adaptedClipNorm } from '@fedsvd/core/privacy'
import { resolveManifest } from '@fedsvd/core/protocol'
import { clientLevelMean } from './client-level-mean.ts'
import type { Aggregate, RoundContext } from './context.ts'
import { decodeUpdate } from './frames.ts'
import { deliveredTasks } from './progress.ts'
import { staleUpdates } from './stale-updates.ts'

/**
 * What the run's rule makes of the accepted updates: with the coordinator's own noise where the run asks for
 * client-level privacy.
 */
export function aggregate(context: RoundContext<'settings' | 'storage' | 'mechanism' | 'budgets'>): Promise<Aggregate> {
  const { clientLevel } = context.run.settings.manifest
  return clientLevel === undefined ? combined(context) : clientLevelMean(context, clientLevel)
}

/**
 * The accepted updates combined by the rule of the run, read one at a time and added in the order of client
 * identifiers, stale ones after the round's own: the same bits whenever it is computed again. The mean needs memory for
 * two updates however many there are; the other rules keep them all. Where the clip norm adapts, it moves by the mean
 * of the clients' noised shares, the same for all of them; the shares of stale updates are about another clip norm, and
 * left out.
 */
async function combined(context: RoundContext<'settings' | 'storage' | 'budgets'>): Promise<Aggregate> {
  const { run, round, journal, base } = context
  const { manifest, schemaHash } = run.settings
  const { adapter, aggregation, adaptiveClipping, clipNorm: start } = resolveManifest(manifest)
  const delivered = deliveredTasks(journal.progress!)
  const terms = [...delivered, ...(journal.progress!.late ?? [])].map(({ clientId }) => run.budgets.termsOf(clientId)!)
  const updates = beginAggregation(trainedSpecs(adapter), aggregation, terms)
  const shares: number[] = []
  for (const { clientId, update } of delivered) {
    const bytes = await run.storage.blobs.read(update.sha256)
    const { tensors, shareUnderClip } = decodeUpdate(
      manifest,
      { schemaHash, round, basis: base.basis, clientId },
      bytes,
    )
    updates.add(tensors)
    if (shareUnderClip !== undefined) shares.push(shareUnderClip)
  }
  for await (const tensors of staleUpdates(context)) updates.add(tensors)
  const mean = updates.result()
  if (adaptiveClipping === undefined) return { mean }
  const clipNorm = base.clipNorm ?? start
  return { mean, clipNorm: shares.length === 0 ? clipNorm : adaptedClipNorm(clipNorm, shares, adaptiveClipping, start) }
}
