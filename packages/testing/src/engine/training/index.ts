import type { AdapterState } from '@fedsvd/core/lora'
import { recordsInMemory } from '@fedsvd/engine/datasets'
import type { EncodedRecord, PrivateEngine } from '@fedsvd/engine/training'
import { type Lot, lotOfAll } from '@fedsvd/engine/training/lots'

/** All of these records as one lot. */
export const lotOf = (records: readonly EncodedRecord[]): Lot => lotOfAll(recordsInMemory(records))

/** What the private step makes of a lot, and of each of its records by itself. */
export interface LotResult {
  /** Sums in grid units, one array per trained tensor. */
  readonly gridSum: readonly Float64Array[]
  /** L2 norms before clipping, in input order. */
  readonly norms: Float64Array
  /** Cross-entropies in nats, in input order. */
  readonly losses: Float32Array
}

/** The clipped sum of a lot, with the norms and losses of its records. */
export async function lotResult(
  engine: PrivateEngine,
  records: readonly EncodedRecord[],
  state: AdapterState,
  clipNorm: number,
): Promise<LotResult> {
  const { gridSum } = await engine.clippedLotSum(lotOf(records), state, clipNorm)
  const found = await engine.recordGradients(records, state)
  return {
    gridSum,
    norms: Float64Array.from(found, ({ gradient }) => Math.hypot(...gradient.map((part) => Math.hypot(...part)))),
    losses: Float32Array.from(found, ({ loss }) => loss),
  }
}

/** The sum of several lots' sums, tensor by tensor. */
export const total = (results: readonly LotResult[]): Float64Array[] =>
  results[0]!.gridSum.map((tensor, index) =>
    tensor.map((_, at) => results.reduce((sum, { gridSum }) => sum + gridSum[index]![at]!, 0)),
  )
