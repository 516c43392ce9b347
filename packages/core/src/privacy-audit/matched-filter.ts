import { cholesky, solveLower, solveTransposed } from '../linalg/index.ts'

/**
 * Scores the canaries of one group from what a step released: the best linear estimate of each coin.
 *
 * Let g_i be the clipped gradient of canary i in units of the clip norm, c_i in {0, 1} its coin, and y the noised sum
 * in the same units: y = sum of c_i g_i + sigma n. The auditor knows all g_i. With the reference r = 1/2 sum over all
 * canaries of g_i, the sum that fair coins make on average, the matched filter of canary i is z_i = <g_i, y - r>.
 * Within a group whose gradients overlap, z = K (c - 1/2) + noise of covariance sigma^2 K, K being the Gram matrix; the
 * linear estimate of c - 1/2 with the least square error is (K + 4 sigma^2 I)^-1 z. What other groups add on top of r
 * acts as more noise: it can make the audit weaker, never wrong, because scores need no justification.
 *
 * @param gram K, [n, n]; symmetric
 * @param filtered z
 * @param noiseMultiplier sigma
 * @returns one score for each canary, the larger the likelier it was in
 */
export function matchedFilterScores(gram: Float64Array, filtered: Float64Array, noiseMultiplier: number): Float64Array {
  const n = filtered.length
  const ridge = 4 * noiseMultiplier ** 2
  const data = gram.map((value, at) => (at % (n + 1) === 0 ? value + ridge : value))
  const lower = cholesky({ rows: n, columns: n, data }, 0)
  if (lower === undefined) return filtered.map(() => Number.NaN) // a gradient was not finite
  return solveTransposed(lower, { rows: n, columns: 1, data: solveLower(lower, filtered) }).data
}
