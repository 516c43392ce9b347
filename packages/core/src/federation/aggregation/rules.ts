import { z } from 'zod'
import { FedsvdError } from '../../errors.ts'
import { type NamedTerms, Registry } from '../../registry/index.ts'
import type { TensorSpec } from '../../tensor/index.ts'
import type { Aggregation, AggregationRule, UpdateTerms } from './aggregation.ts'
import { inverseVarianceMean } from './inverse-variance-mean.ts'
import { krum } from './krum.ts'
import { mean } from './mean.ts'
import { median } from './median.ts'
import { requireDelta } from './running-mean.ts'
import { trimmedMean } from './trimmed-mean.ts'

/** The aggregation rules that this process knows. */
export const aggregationRules = new Registry<AggregationRule>('aggregation rule', [
  mean,
  median,
  trimmedMean,
  krum,
  inverseVarianceMean,
])

/**
 * Adds a rule, which run requests and manifests can name from then on.
 *
 * @throws FedsvdError CONFIG_INVALID for a name that is none or taken, and for a term that is a number without a range
 */
export function registerAggregationRule<Terms extends z.ZodRawShape>(rule: AggregationRule<Terms>): void {
  const endless = Object.entries(rule.terms).find(([, schema]) => isEndless(schema))
  if (endless !== undefined) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a range for the term ${endless[0]} of the aggregation rule ${rule.name}`,
      got: 'a number without a least or a largest value',
      remedy: 'Give it one with wholeIn or numberIn.',
    })
  }
  aggregationRules.register(rule)
}

function isEndless(schema: z.core.$ZodType): boolean {
  if (!(schema instanceof z.ZodNumber)) return false
  return !Number.isFinite(schema.minValue ?? Number.NaN) || !Number.isFinite(schema.maxValue ?? Number.NaN)
}

/**
 * Begins to aggregate; the order of the additions decides at most the last bits, so callers add in a fixed order.
 *
 * @param terms as the manifest has them, checked
 * @param updates the public terms of each update, in the order in which they will be added
 * @throws FedsvdError CONFIG_INVALID for a rule that is not known here; `result()` throws SHAPE_MISMATCH where a rule
 *   makes other tensors than those of the specs
 */
export function beginAggregation(
  specs: readonly TensorSpec[],
  terms: NamedTerms,
  updates: readonly UpdateTerms[],
): Aggregation {
  const aggregation = aggregationRules.get(terms.name).begin(specs, terms, updates)
  return {
    get count() {
      return aggregation.count
    },
    add: (delta) => aggregation.add(delta),
    result() {
      const combined = aggregation.result()
      requireDelta(specs, combined)
      return combined
    },
  }
}

/**
 * The fewest updates for which a rule is defined; a run's quorum is at least this. @throws FedsvdError CONFIG_INVALID
 */
export function minUpdates(terms: NamedTerms): number {
  const least = aggregationRules.get(terms.name).minUpdates(terms)
  if (Number.isSafeInteger(least) && least >= 1) return least
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `a whole number of at least 1 as the fewest updates of the aggregation rule ${terms.name}`,
    got: String(least),
    remedy: 'Correct minUpdates in the extension.',
  })
}
