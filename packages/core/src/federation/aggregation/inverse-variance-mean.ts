import { FedsvdError } from '../../errors.ts'
import type { AggregationRule, UpdateTerms } from './aggregation.ts'
import { beginMean } from './running-mean.ts'

/**
 * The mean with weights by the inverse variance of the noise, which is public: a client whose budget is nearly spent
 * adds more noise, and weighs less. Nobody weighs more than the client with the median noise: large data sets, which
 * need less noise, would otherwise move the objective, and whoever states too little noise would gain weight by it.
 *
 * When it is better than the mean, and when it is not: docs/decisions/0166.
 */
export const inverseVarianceMean = {
  name: 'inverse-variance-mean',
  terms: {},
  minUpdates: () => 1,
  begin(specs, _terms, updates) {
    const weights = inverseVarianceWeights(updates)
    const running = beginMean(specs)
    return {
      get count() {
        return running.count
      },
      add(delta) {
        const weight = weights[running.count]
        if (weight === undefined) {
          throw new FedsvdError('RUN_STATE', {
            expected: `${weights.length} updates, whose noise is known`,
            got: 'one more',
            remedy: 'Begin the aggregation with the terms of every update.',
          })
        }
        running.add(delta, weight)
      },
      result: () => running.mean(),
    }
  },
} satisfies AggregationRule<Record<never, never>>

/**
 * The weight of each update: the squared ratio of the median noise to its own, and at most 1.
 *
 * @example inverseVarianceWeights([1, 1, 2].map((noiseMultiplier) => ({ noiseMultiplier }))) // [1, 1, 0.25]
 */
export function inverseVarianceWeights(updates: readonly UpdateTerms[]): number[] {
  const noises = updates.map(({ noiseMultiplier }) => noiseMultiplier).sort((left, right) => left - right)
  const median = noises[Math.floor((noises.length - 1) / 2)] ?? 1
  return updates.map(({ noiseMultiplier }) => Math.min(1, median / noiseMultiplier) ** 2)
}
