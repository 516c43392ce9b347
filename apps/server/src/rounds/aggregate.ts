import { trainedSpecs } from '@fedsvd/core/adapters'
import { beginMean } from '@fedsvd/core/federation'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { RoundContext } from './context.ts'
import { decodeUpdate } from './frames.ts'
import { noisedMean } from './noised-mean.ts'
import { deliveredTasks } from './progress.ts'

/** The mean of the accepted updates: with the coordinator's own noise where the run asks for client-level privacy. */
export function aggregate(context: RoundContext): Promise<readonly NamedTensor[]> {
  const { clientLevel } = context.run.manifest
  return clientLevel === undefined ? plainMean(context) : noisedMean(context, clientLevel)
}

/**
 * The equal-weight mean of the accepted updates, read one at a time and added in the order of client identifiers: the
 * same bits whenever it is computed again, and memory for two updates however many there are.
 */
async function plainMean({ run, round, book, base }: RoundContext): Promise<readonly NamedTensor[]> {
  const { manifest, schemaHash, blobs } = run
  const mean = beginMean(trainedSpecs(manifest.adapter))
  for (const { clientId, update } of deliveredTasks(book.progress!)) {
    const bytes = await blobs.read(update.sha256)
    mean.add(decodeUpdate(manifest, { schemaHash, round, basis: base.basis, clientId }, bytes))
  }
  return mean.mean()
}
