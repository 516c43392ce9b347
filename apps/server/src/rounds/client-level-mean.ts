import { FedsvdError } from '@fedsvd/core/errors'
import { trainedSpecs } from '@fedsvd/core/lora'
import { adaptedClipNorm, beginClientLevelRound } from '@fedsvd/core/privacy'
import type { ClientLevel } from '@fedsvd/core/protocol'
import { type Aggregate, budgetsSpent, type RoundContext } from './context.ts'
import { decodeUpdate } from './frames.ts'
import { deliveredTasks } from './progress.ts'

/**
 * The mean of the accepted deltas with client-level privacy: each is clipped to one flat norm and has weight 1, the
 * noise of the operating system is added once, and the divisor is the public number of clients per round, not the
 * number of those that answered.
 *
 * The draw is paid for before it is made. Nothing else may see the deltas: what leaves the coordinator comes from this
 * mean.
 */
export async function clientLevelMean(
  { run, round, journal, base }: RoundContext<'settings' | 'storage' | 'mechanism'>,
  { adaptiveClipping, ...fixed }: ClientLevel,
): Promise<Aggregate> {
  const { manifest, schemaHash } = run.settings
  const terms = { ...fixed, clipNorm: base.clientClipNorm ?? fixed.clipNorm }
  const { runId } = manifest
  const { quorum, clientsPerRound } = journal.progress!.plan
  const delivered = deliveredTasks(journal.progress!)
  const clients = delivered.map(({ clientId }) => clientId)
  const paid = await run.mechanism.central.reserve({ runId, round, terms, clients, atLeast: quorum })
  if (paid === undefined) {
    throw budgetsSpent(run, round, `${quorum} that can pay for it at the client level`)
  }
  const noised = beginClientLevelRound({
    specs: trainedSpecs(manifest.adapter),
    reservation: paid.reservation,
    clipNorm: terms.clipNorm,
    noiseMultiplier: terms.noiseMultiplier,
    expectedClients: clientsPerRound,
    source: run.mechanism.noiseSource(),
    ...(adaptiveClipping && { adaptiveClipping }),
  })
  const paying = new Set(paid.clients)
  for (const { clientId, update } of delivered) {
    if (!paying.has(clientId)) continue
    const bytes = await run.storage.blobs.read(update.sha256)
    noised.add(clientId, decodeUpdate(manifest, { schemaHash, round, basis: base.basis, clientId }, bytes).tensors)
  }
  const { tensors, randomness, shareUnderClip } = noised.finish()
  if (randomness !== 'secure') throw notPrivate(randomness)
  if (adaptiveClipping === undefined) return { mean: tensors }
  const clientClipNorm = adaptedClipNorm(terms.clipNorm, [shareUnderClip!], adaptiveClipping, fixed.clipNorm)
  return { mean: tensors, clientClipNorm }
}

function notPrivate(randomness: string): FedsvdError {
  return new FedsvdError('NOISE_INVALID', {
    expected: 'noise from the random number generator of the operating system',
    got: `noise of a seeded generator, which is ${randomness}`,
    remedy: 'Nothing was published. Leave the source of randomness of a coordinator at its default.',
  })
}
