import { LIMITS, wholeIn } from '../../limits/index.ts'
import type { AggregationRule } from './aggregation.ts'
import { bufferedAggregation } from './buffered.ts'

const terms = { byzantine: wholeIn(LIMITS.clients) }

/**
 * The coordinate-wise trimmed mean (Yin et al. 2018, arXiv 1803.01498, definition 2): the `byzantine` largest and as
 * many smallest values of each coordinate are left out and the rest is averaged. With at most so many malicious
 * updates, what is left lies between honest values.
 */
export const trimmedMean = {
  name: 'trimmed-mean',
  terms,
  minUpdates: ({ byzantine }) => 2 * byzantine + 1,
  begin: (specs, { byzantine }) =>
    bufferedAggregation(specs, 2 * byzantine + 1, (updates) => trimmedMeanOf(updates, byzantine)),
} satisfies AggregationRule<typeof terms>

/** @param updates equally long, more than 2 * trimmed */
export function trimmedMeanOf(updates: readonly Float32Array[], trimmed: number): Float32Array {
  const values = new Float32Array(updates.length)
  const kept = updates.length - 2 * trimmed
  return Float32Array.from(updates[0]!, (_, coordinate) => {
    for (let index = 0; index < updates.length; index += 1) values[index] = updates[index]![coordinate]!
    values.sort()
    let sum = 0
    for (let index = trimmed; index < trimmed + kept; index += 1) sum += values[index]!
    return sum / kept
  })
}
