import type { AggregationRule } from './aggregation.ts'
import { bufferedAggregation } from './buffered.ts'
import { trimmedMeanOf } from './trimmed-mean.ts'

/**
 * The coordinate-wise median (Yin et al. 2018, arXiv 1803.01498, definition 1): with fewer than half of the updates
 * malicious, every coordinate lies between two honest values. For an even number, the mean of the middle two.
 */
export const median = {
  name: 'median',
  terms: {},
  minUpdates: () => 1,
  begin: (specs) => bufferedAggregation(specs, 1, medianOf),
} satisfies AggregationRule<Record<never, never>>

function medianOf(updates: readonly Float32Array[]): Float32Array {
  return trimmedMeanOf(updates, Math.ceil(updates.length / 2) - 1)
}
