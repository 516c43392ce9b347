import { type AdapterState, predictsTokens } from '@fedsvd/core/adapters'
import type { ClippedSum } from '@fedsvd/core/privacy'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { EncodedRecord } from '@fedsvd/engine/data'
import type { Lot } from '@fedsvd/engine/lots'
import type { LotSumOptions, PrivateEngine } from '@fedsvd/engine/training'

/** What the sum of a lot needs of a round. */
export interface LotSumParts extends LotSumOptions {
  readonly engine: PrivateEngine
  readonly manifest: Pick<RunManifest, 'task'>
  /** Told of a lot that was left out as a whole, for this site's own eyes. */
  readonly onFault: (error: unknown) => void
}

/**
 * The clipped sum of a lot, whatever its records do to the engine: where it fails on them and not on a made-up record, the lot
 * counts as an empty one, so that no record decides whether an update is sent. Where it fails on that, too, the machine is at
 * fault.
 *
 * @throws the engine's error where it fails on a made-up record as well
 * @throws the signal's reason when it aborts
 */
export async function lotSum(
  { engine, manifest, onFault, ...options }: LotSumParts,
  lot: Lot,
  state: AdapterState,
  clipNorm: number,
): Promise<ClippedSum> {
  try {
    return await engine.clippedLotSum(lot, state, clipNorm, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    await engine.recordGradients([madeUpRecord(manifest)], state).catch(() => {
      throw error
    })
    onFault(error)
    return await engine.clippedLotSum({ ...lot, members: new Uint32Array(0) }, state, clipNorm, options)
  }
}

/** A record that every model of the task takes; no one's. */
function madeUpRecord({ task = 'sequence-classification' }: Pick<RunManifest, 'task'>): EncodedRecord {
  const tokenIds = Int32Array.of(0, 0)
  const isOfTokens = task === 'token-classification' || predictsTokens(task)
  return isOfTokens ? { tokenIds, targets: Int32Array.of(0, 0) } : { tokenIds, label: 0 }
}
