import { LIMITS, wholeIn } from '../../limits/index.ts'
import type { AggregationRule } from './aggregation.ts'
import { bufferedAggregation } from './buffered.ts'

const terms = { byzantine: wholeIn(LIMITS.clients) }

/**
 * Krum (Blanchard et al. 2017, "Machine learning with adversaries", section 4): the one update whose n - f - 2 nearest
 * others are nearest to it, in squared L2 distance; defined for n >= 2 f + 3. The first of equals.
 *
 * It takes one client's update with all of that client's noise: with strong noise it costs accuracy, and distances tell
 * honest from malicious less well. Prefer the trimmed mean there.
 */
export const krum = {
  name: 'krum',
  terms,
  minUpdates: ({ byzantine }) => 2 * byzantine + 3,
  begin: (specs, { byzantine }) =>
    bufferedAggregation(specs, 2 * byzantine + 3, (updates) => nearestToOthers(updates, byzantine)),
} satisfies AggregationRule<typeof terms>

/** @param updates equally long, at least 2 * byzantine + 3 */
function nearestToOthers(updates: readonly Float32Array[], byzantine: number): Float32Array {
  const neighbours = updates.length - byzantine - 2
  const distances = squaredDistances(updates)
  const scores = distances.map((row, own) => {
    const others = row.filter((_, other) => other !== own).sort((left, right) => left - right)
    return others.slice(0, neighbours).reduce((sum, distance) => sum + distance, 0)
  })
  return updates[scores.indexOf(Math.min(...scores))]!.slice()
}

function squaredDistances(updates: readonly Float32Array[]): number[][] {
  const distances = updates.map(() => updates.map(() => 0))
  for (let left = 0; left < updates.length; left += 1) {
    for (let right = left + 1; right < updates.length; right += 1) {
      const distance = squaredDistance(updates[left]!, updates[right]!)
      distances[left]![right] = distance
      distances[right]![left] = distance
    }
  }
  return distances
}

function squaredDistance(left: Float32Array, right: Float32Array): number {
  let sum = 0
  for (let index = 0; index < left.length; index += 1) sum += (left[index]! - right[index]!) ** 2
  return sum
}
