import type { AdapterState } from '@fedsvd/core/adapters'
import { MAX_MICRO_BATCH, votesOn } from '@fedsvd/core/privacy'
import { type RecordSource, shortestFirst } from '@fedsvd/engine/lots'
import type { PrivateEngine } from '@fedsvd/engine/training'
import type { Latest } from '../transport/index.ts'

/** What a lot adds up to. Private, all of it: for the mechanism alone. */
export interface LotSum {
  readonly gridSum: readonly Float64Array[]
  /** Norms at or below the clip norm minus norms above it. */
  readonly votes: number
}

/** The lot of one step: positions in `records`, ascending. */
export interface Lot {
  readonly records: RecordSource
  readonly members: Uint32Array
}

/**
 * The clipped integer sum over a lot, a micro-batch at a time, so that a closed round stops between two of them, and a
 * paused one waits there.
 *
 * Records of like length stand together, so that short texts do not pay for long ones. The sums are exact integers: neither
 * the order nor the cuts change them. An empty lot gives zeros, and is noised like any other.
 *
 * Memory: the records of one micro-batch, the sum, and 12 bytes for each member of the lot (its position, its length and its
 * place in the order of lengths).
 *
 * @param onPart told how many members are done, after each micro-batch
 * @throws the signal's reason when it aborts
 */
export async function clippedLotSum(
  engine: PrivateEngine,
  { records, members }: Lot,
  state: AdapterState,
  clipNorm: number,
  signal: AbortSignal,
  {
    goAhead,
    onPart = () => {},
  }: { readonly goAhead?: Latest<true> | undefined; readonly onPart?: (done: number) => void } = {},
): Promise<LotSum> {
  const order = shortestFirst(records.lengthsOf(members))
  let total: readonly Float64Array[] | undefined
  let votes = 0
  for (let start = 0; total === undefined || start < order.length; start += MAX_MICRO_BATCH) {
    signal.throwIfAborted()
    await goAhead?.value(signal)
    const part = Array.from(order.subarray(start, start + MAX_MICRO_BATCH), (at) => records.read(members[at]!))
    const { gridSum, norms } = await engine.clippedLotSum(part, state, clipNorm)
    votes += votesOn(norms, clipNorm)
    if (total === undefined) total = gridSum.map((sum) => sum.slice())
    else for (const [tensor, sum] of total.entries()) addTo(sum, gridSum[tensor]!)
    onPart(start + part.length)
  }
  return { gridSum: total, votes }
}

function addTo(sum: Float64Array, more: Float64Array): void {
  for (let index = 0; index < sum.length; index++) sum[index]! += more[index]!
}
