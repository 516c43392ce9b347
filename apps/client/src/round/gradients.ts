import type { AdapterState } from '@fedsvd/core/adapters'
import { MAX_MICRO_BATCH } from '@fedsvd/core/privacy'
import type { EncodedRecord } from '@fedsvd/engine/data'
import type { PrivateEngine } from '@fedsvd/engine/training'
import type { Latest } from '../transport/index.ts'

/** The clipped integer sum over a lot, and the norm of each of its records. Private, both: for the mechanism alone. */
export interface LotSum {
  readonly gridSum: readonly Float64Array[]
  /** In the order of length, not of input. */
  readonly norms: readonly number[]
}

/**
 * The clipped integer sum over a lot, a micro-batch at a time, so that a closed round stops between two of them, and a
 * paused one waits there.
 *
 * Records of like length stand together, so that short texts do not pay for long ones. The sums are exact integers: neither
 * the order nor the cuts change them. An empty lot gives zeros, and is noised like any other.
 *
 * @throws the signal's reason when it aborts
 */
export async function clippedLotSum(
  engine: PrivateEngine,
  lot: readonly EncodedRecord[],
  state: AdapterState,
  clipNorm: number,
  signal: AbortSignal,
  goAhead?: Latest<true>,
): Promise<LotSum> {
  const byLength = lot.toSorted((a, b) => a.tokenIds.length - b.tokenIds.length)
  const norms: number[] = []
  let total: readonly Float64Array[] | undefined
  for (let start = 0; total === undefined || start < byLength.length; start += MAX_MICRO_BATCH) {
    signal.throwIfAborted()
    await goAhead?.value(signal)
    const part = byLength.slice(start, start + MAX_MICRO_BATCH)
    const { gridSum, norms: found } = await engine.clippedLotSum(part, state, clipNorm)
    total = total === undefined ? gridSum : total.map((sum, tensor) => added(sum, gridSum[tensor]!))
    norms.push(...found)
  }
  return { gridSum: total, norms }
}

function added(left: Float64Array, right: Float64Array): Float64Array {
  return left.map((value, index) => value + right[index]!)
}
