import type { AggregationRule } from './aggregation.ts'
import { beginMean } from './running-mean.ts'

/**
 * The equal-weight mean: the rule of FedSVD, and the only one that needs memory for one update however many there are.
 * A single malicious client can move it anywhere within the norm bound of the run divided by the number of clients.
 */
export const mean = {
  name: 'mean',
  terms: {},
  minUpdates: () => 1,
  begin(specs) {
    const running = beginMean(specs)
    return {
      get count() {
        return running.count
      },
      add: (delta) => running.add(delta),
      result: () => running.mean(),
    }
  },
} satisfies AggregationRule<Record<never, never>>
