import { checkLevel, checkOutcome, checkPair } from './check.ts'
import type { GuessOutcome } from './guesses.ts'
import { leastWithout, type PrivacyCurve } from './privacy-curve.ts'
import { largestRejected } from './rejectable.ts'

/** Room for the rounding of at most 10^7 additions; relative. */
const ROUNDING = 1e-9
const LEAST_P = 1e-12
const HALVINGS = 40

/**
 * An upper bound on the chance of at least `correct` right guesses if every promise of the curve holds: the audit of
 * Mahloujifar, Melis and Chaudhuri 2025, "Auditing f-Differential Privacy in One Run", for the trade-off
 * function that the curve's points span.
 *
 * Why it holds. Let W be the number of right guesses of c = `guesses`, p_j = P[W = j], and let g(y) be the least chance
 * of an event without a record when its chance with the record is y ({@link leastWithout}: convex). For canary i and
 * side s of its coin, take the event "the guess on i is s, and at least k - 1 guesses on the others are right". Under
 * coin s it is part of W >= k with guess i right; under the other coin it is part of W >= k - 1 with guess i wrong.
 * Average over i, s and the other coins (Jensen, for g is convex):
 *
 *   g(R_k) <= H_(k-1),   R_k = sum over j >= k of j p_j / m,   H_k = sum over j >= k of (c - j) p_j / m.
 *
 * If P[W >= v] were tau, then R_v + H_v = tau c / m with R_v at least tau v / m; walking down from v, each k needs
 * enough mass at k - 1 to lift H to g(R). Taking the least mass each time is the best that a mechanism can do, since
 * mass lower down carries more H for its R. When R + H then passes c / m, the total mass passes 1: no mechanism with
 * these promises has P[W >= v] >= tau.
 *
 * The walk is exact for these inequalities (the tests hold it against a linear program). Unlike Theorem 5.2 of Steinke,
 * Nasr and Jagielski it takes a whole curve, and its price for delta does not grow with the confidence.
 *
 * @returns at least 1e-12; 1 when nothing can be said
 * @throws FedsvdError CONFIG_INVALID for counts or points out of range
 */
export function curvePValue(outcome: GuessOutcome, curve: PrivacyCurve): number {
  checkOutcome(outcome)
  curve.forEach(checkPair)
  const least = leastWithout(curve)
  if (!impossible(outcome, least, 1)) return 1
  if (impossible(outcome, least, LEAST_P)) return LEAST_P
  let low = Math.log(LEAST_P)
  let high = 0
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2
    if (impossible(outcome, least, Math.exp(middle))) high = middle
    else low = middle
  }
  return Math.exp(high)
}

/** Whether {@link curvePValue} is at most `level`, at a fortieth of the work. */
export function curveRejected(outcome: GuessOutcome, curve: PrivacyCurve, level: number): boolean {
  checkOutcome(outcome)
  curve.forEach(checkPair)
  checkLevel(level)
  return impossible(outcome, leastWithout(curve), level)
}

/**
 * The largest epsilon for which the claim "(epsilon, delta)-DP", and nothing else, is rejected at `level`. It assumes
 * nothing about the mechanism. 0 when nothing is rejected.
 *
 * @throws FedsvdError CONFIG_INVALID for counts, a delta or a level out of range
 */
export function epsilonLowerBound(outcome: GuessOutcome, delta: number, level: number): number {
  checkOutcome(outcome)
  checkPair({ epsilon: 0, delta })
  checkLevel(level)
  return largestRejected((epsilon) => impossible(outcome, leastWithout([{ epsilon, delta }]), level))
}

/** Whether no mechanism with these promises is right at least `correct` times with a chance of `tau`. */
function impossible({ canaries, guesses, correct }: GuessOutcome, least: (y: number) => number, tau: number): boolean {
  const all = (guesses / canaries) * (1 + ROUNDING)
  let right = (tau * correct) / canaries
  let wrong = (tau * (guesses - correct)) / canaries
  for (let k = correct - 1; k >= 0; k--) {
    const needed = least(right)
    if (needed <= wrong) break
    right += (k / (guesses - k)) * (needed - wrong)
    wrong = needed
    if (right + wrong > all) return true
  }
  return right + wrong > all
}
