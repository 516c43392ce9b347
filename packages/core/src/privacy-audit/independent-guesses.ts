import { type ColumnMatrix, cholesky, solveLower } from '../linalg/index.ts'
import { binomialTail } from './binomial.ts'
import { checkOutcome } from './check.ts'
import type { GuessOutcome } from './guesses.ts'
import { leastWithout, type PrivacyCurve } from './privacy-curve.ts'

/** A canary whose gradient lies this close to those before it tells nothing of its own. */
const SMALLEST_PIVOT = 1e-9

/** Halvings of the interval in which the best event is looked for. */
const HALVINGS = 60

/**
 * Guesses each canary's coin from what a step released, by an auditor who knows the coins of all others.
 *
 * Let g_i be the clipped gradients in units of the clip norm, c_i in {0, 1} the coins, n independent standard Gaussian
 * noise on every number of the sum, y = sum of c_i g_i + sigma n, and K = L L^T the Gram matrix of the g_i. Then L^-1
 * (<g_i, y>)_i = L^T c + sigma w with independent standard Gaussians w: with the coins behind i taken off, v_i = L_ii
 * c_i + sigma w_i, and the guess is whether v_i > L_ii / 2. Since L_ii is at most the length of g_i, no guess is easier
 * than that of a lone record.
 *
 * @param gram K, [n, n]; its lower triangle is read
 * @param filtered <g_i, y>, y without the records that are not among the n
 * @returns undefined where the gradients are not linearly independent: choose other canaries
 */
export function guessKnowingOthers(
  gram: ColumnMatrix,
  filtered: Float64Array,
  included: Uint8Array,
): GuessOutcome | undefined {
  const n = filtered.length
  const lower = cholesky(gram, SMALLEST_PIVOT)
  if (lower === undefined) return undefined
  const at = (row: number, column: number) => lower.data[column * n + row]!
  const whitened = solveLower(lower, filtered)
  let correct = 0
  for (let i = 0; i < n; i++) {
    let own = whitened[i]!
    for (let j = i + 1; j < n; j++) own -= at(j, i) * included[j]!
    if (own > at(i, i) / 2 === (included[i] === 1)) correct++
  }
  return { canaries: n, guesses: n, correct }
}

/**
 * The chance of at least `correct` right guesses if every promise of the curve holds *and* what the release tells of
 * one coin is independent of what it tells of the others, as with noise that is drawn afresh for every number.
 *
 * An event of chance y with a record has at least the chance g(y) without it ({@link leastWithout}), so one guess on a
 * fair coin is right with a chance of at most p = max over y of (1 + y - g(y)) / 2, and independent guesses are right
 * no more often than Binomial(guesses, p). The bounds of `curve-test.ts` do without that independence, and pay for it:
 * a mechanism may show all coins at once, seldom.
 *
 * @throws FedsvdError CONFIG_INVALID for counts out of range
 */
export function independentPValue(outcome: GuessOutcome, curve: PrivacyCurve): number {
  checkOutcome(outcome)
  const p = mostOftenRight(curve)
  return p >= 1 ? 1 : binomialTail(outcome.guesses, outcome.correct, p)
}

/**
 * max over y in [0, 1] of (1 + y - g(y)) / 2: concave, as g is convex. Never too small: the ends of the last interval.
 */
function mostOftenRight(curve: PrivacyCurve): number {
  const least = leastWithout(curve)
  const right = (y: number) => (1 + y - least(y)) / 2
  let [low, high] = [0, 1]
  for (let i = 0; i < HALVINGS; i++) {
    const third = (high - low) / 3
    if (right(low + third) < right(high - third)) low += third
    else high -= third
  }
  return right(low) + (high - low)
}
