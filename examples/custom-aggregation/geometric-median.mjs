// @ts-check

const terms = (/** @type {import('@fedsvd/engine/extensions').ExtensionApi} */ { wholeIn }) => ({
  iterations: wholeIn({ least: 1, most: 1000, because: 'Weiszfeld converges within tens of iterations' }),
})

/** Nearer than this, two updates are the same: a weight of 1 / distance stays finite. */
const LEAST_DISTANCE = 1e-12

/**
 * The geometric median by Weiszfeld's algorithm (Pillutla et al. 2022, arXiv 1912.13445): the point with the least sum
 * of distances to the updates. It stays near the honest ones as long as more than half of them are honest.
 *
 * @type {import('@fedsvd/engine/extensions').Extension}
 */
export default function geometricMedian(fedsvd) {
  fedsvd.registerAggregationRule({
    name: 'geometric-median',
    terms: terms(fedsvd),
    minUpdates: () => 1,
    begin: (specs, { iterations }) =>
      fedsvd.bufferedAggregation(specs, 1, (updates) => {
        let centre = weightedMean(updates, Array(updates.length).fill(1))
        for (let iteration = 0; iteration < iterations; iteration += 1) {
          const weights = updates.map((update) => 1 / Math.max(LEAST_DISTANCE, distance(update, centre)))
          centre = weightedMean(updates, weights)
        }
        return centre
      }),
  })
}

/** @param {readonly Float32Array[]} updates @param {readonly number[]} weights */
function weightedMean(updates, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return new Float32Array(updates[0]?.length ?? 0).map((_, at) =>
    updates.reduce((sum, update, index) => sum + ((weights[index] ?? 0) * (update[at] ?? 0)) / total, 0),
  )
}

/** @param {Float32Array} left @param {Float32Array} right */
function distance(left, right) {
  return Math.sqrt(left.reduce((sum, value, at) => sum + (value - (right[at] ?? 0)) ** 2, 0))
}
