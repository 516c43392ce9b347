import { type AdapterState, predictsTokens } from '@fedsvd/core/lora'
import type { ClippedSum } from '@fedsvd/core/privacy'
import { type RunManifest, resolveManifest } from '@fedsvd/core/protocol'
import type { EncodedRecord } from '@fedsvd/engine/datasets'
import type { LotSumOptions, PrivateEngine } from '@fedsvd/engine/training'
import type { Lot } from '@fedsvd/engine/training/lots'

/** What the sum of a lot needs of a round. */
export interface SumParts extends Omit<LotSumOptions, 'onFault'> {
  readonly engine: PrivateEngine
  readonly manifest: Pick<RunManifest, 'task'>
  /** Told, once, of a lot of which records failed, for this site's own eyes. */
  readonly onFault: (error: unknown) => void
}

/**
 * The clipped sum of a lot, whatever its records do to the engine: one that fails contributes zeros, and the others
 * what they contribute without it, so that a record moves the sum by its own bound even then. Where the engine fails on
 * a made-up record as well, the machine is at fault.
 *
 * @throws the engine's error where it fails on a made-up record as well
 * @throws the signal's reason when it aborts
 */
export async function sumDespiteFaults(
  { engine, manifest, onFault, ...options }: SumParts,
  lot: Lot,
  state: AdapterState,
  clipNorm: number,
): Promise<ClippedSum> {
  const faults: unknown[] = []
  const noteFirst = (error: unknown): void => {
    if (faults.length === 0) faults.push(error)
  }
  const sum = await engine.clippedLotSum(lot, state, clipNorm, { ...options, onFault: noteFirst })
  for (const fault of faults) {
    await engine.recordGradients([madeUpRecord(manifest)], state).catch(() => {
      throw fault
    })
    onFault(fault)
  }
  return sum
}

/** A record that every model of the task takes; no one's. */
export function madeUpRecord(manifest: Pick<RunManifest, 'task'>): EncodedRecord {
  const { task } = resolveManifest(manifest)
  const tokenIds = Int32Array.of(0, 0)
  const isOfTokens = task === 'token-classification' || predictsTokens(task)
  return isOfTokens ? { tokenIds, targets: Int32Array.of(0, 0) } : { tokenIds, label: 0 }
}
