import { createHash } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { assertNoisedCounts, assertPrivateUpdate, type NoisedCounts, type PrivateUpdate } from '@fedsvd/core/privacy'
import { encodeFrame, type FrameHeader, type RunManifest, tensorsOfUpdate } from '@fedsvd/core/protocol'
import { isSimulated, type SimulatedRandomness } from './simulated-randomness.ts'

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/**
 * The frame of an update. It takes nothing but what the private mechanism made: a raw gradient does not compile here,
 * and is refused at run time too. So is an update whose noise came from a seed: the frame could not say that it
 * protects nobody. It stays within a process that simulates its sites.
 *
 * @param simulated of a simulated site alone
 * @param counts of a round with an evaluation, which leave in the same frame
 * @throws FedsvdError RESERVATION_MISSING, NOISE_INVALID
 */
export function encodeUpdate(
  update: PrivateUpdate,
  header: Omit<FrameHeader, 'kind' | 'round' | 'runId'>,
  manifest: Partial<Pick<RunManifest, 'adaptiveClipping' | 'siteEvaluation' | 'task' | 'labels'>> = {},
  simulated?: SimulatedRandomness,
  counts?: NoisedCounts,
): Uint8Array {
  assertPrivateUpdate(update)
  if (counts !== undefined) assertNoisedCounts(counts)
  for (const { randomness } of counts === undefined ? [update] : [update, counts]) {
    if (randomness !== 'secure' && !isSimulated(simulated)) throw notPrivate(randomness)
  }
  const { runId, round } = update.reserved
  const { tensors, shareUnderClip } = update
  const evaluation = counts && Float32Array.from(counts.values)
  const content = tensorsOfUpdate(manifest, { tensors, shareUnderClip, evaluation })
  return encodeFrame({ kind: 'update', ...header, runId, round, tensors: content }, sha256)
}

function notPrivate(randomness: string): FedsvdError {
  return new FedsvdError('NOISE_INVALID', {
    expected: 'noise from the random number generator of the operating system',
    got: `noise of a seeded generator, which is ${randomness}`,
    remedy: 'Nothing was sent. Leave the source of randomness of a client at its default.',
  })
}
