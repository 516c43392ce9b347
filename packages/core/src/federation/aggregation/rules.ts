import type { TensorSpec } from '../../tensor/index.ts'
import type { Aggregation } from './aggregation.ts'
import { bufferedAggregation } from './buffered.ts'
import { krum, leastForKrum } from './krum.ts'
import { median, trimmedMean } from './order-statistics.ts'
import { beginMean, type RunningMean } from './running-mean.ts'

/**
 * How the updates of a round become one. `mean` is the rule of FedSVD and the only one that weighs every client equally and
 * needs memory for one update; the others bound what `byzantine` malicious clients among those of a round can do. All of them
 * see noised updates only, so the choice costs no privacy.
 */
export type AggregationRule =
  | { readonly name: 'mean' }
  | { readonly name: 'median' }
  | { readonly name: 'trimmed-mean' | 'krum'; readonly byzantine: number }

/** Begins to aggregate; the order of the additions decides at most the last bits, so callers add in a fixed order. */
export function beginAggregation(specs: readonly TensorSpec[], rule: AggregationRule): Aggregation {
  switch (rule.name) {
    case 'mean':
      return asAggregation(beginMean(specs))
    case 'median':
      return bufferedAggregation(specs, minUpdates(rule), median)
    case 'trimmed-mean':
      return bufferedAggregation(specs, minUpdates(rule), (updates) => trimmedMean(updates, rule.byzantine))
    case 'krum':
      return bufferedAggregation(specs, minUpdates(rule), (updates) => krum(updates, rule.byzantine))
  }
}

/** The fewest updates for which a rule is defined; a run's quorum is at least this. */
export function minUpdates(rule: AggregationRule): number {
  switch (rule.name) {
    case 'mean':
    case 'median':
      return 1
    case 'trimmed-mean':
      return 2 * rule.byzantine + 1
    case 'krum':
      return leastForKrum(rule.byzantine)
  }
}

function asAggregation(mean: RunningMean): Aggregation {
  return {
    get count() {
      return mean.count
    },
    add: (delta) => mean.add(delta),
    result: () => mean.mean(),
  }
}
