import { logBinomials } from './binomial.ts'
import { checkLevel, checkOutcome, checkPair } from './check.ts'
import type { GuessOutcome } from './guesses.ts'
import { largestRejected } from './rejectable.ts'

/** Room for the rounding of logarithms of up to 1e7 in size; relative. */
const ROUNDING = 1e-8

/**
 * An upper bound on the chance of at least `correct` right guesses, if the mechanism is (epsilon, delta)-DP under
 * adding or removing one canary: Steinke, Nasr and Jagielski 2023, "Privacy Auditing with One (1) Training Run",
 * Theorem 5.2 in the form of Corollary 5.4,
 *
 *   P[W >= v] <= f(v) + 2 m delta max_i (f(v - i) - f(v)) / i,    f(v) = P[Binomial(r, e^eps / (e^eps + 1)) >= v].
 *
 * The factor is the number of canaries m, not of guesses r. The plan must not depend on the coins except through the
 * mechanism's output, and r must be fixed before the run. Rounded up; 1 when `correct` is 0.
 *
 * @throws FedsvdError CONFIG_INVALID for counts or a claim out of range
 */
export function oneRunPValue(
  outcome: GuessOutcome,
  claim: { readonly epsilon: number; readonly delta: number },
): number {
  checkOutcome(outcome)
  checkPair(claim)
  return pValue(outcome, logBinomials(outcome.guesses), claim.epsilon, claim.delta)
}

/**
 * The largest epsilon that {@link oneRunPValue} rejects at `level`: with confidence 1 - level the mechanism is not
 * (epsilon, delta)-DP for any smaller epsilon. 0 when nothing is rejected.
 *
 * @throws FedsvdError CONFIG_INVALID for counts, a delta or a level out of range
 */
export function oneRunEpsilon(outcome: GuessOutcome, delta: number, level: number): number {
  checkOutcome(outcome)
  checkPair({ epsilon: 0, delta })
  checkLevel(level)
  const logs = logBinomials(outcome.guesses)
  return largestRejected((epsilon) => pValue(outcome, logs, epsilon, delta) < level)
}

function pValue(
  { canaries, guesses, correct }: GuessOutcome,
  logs: Float64Array,
  epsilon: number,
  delta: number,
): number {
  const logRight = -Math.log1p(Math.exp(-epsilon))
  const logWrong = -epsilon + logRight
  const chance = (k: number) => Math.exp(logs[k]! + k * logRight + (guesses - k) * logWrong)
  let tail = 0
  for (let k = guesses; k >= correct; k--) tail += chance(k)
  let gained = 0
  let steepest = 0
  for (let i = 1; i <= correct && delta > 0; i++) {
    gained += chance(correct - i)
    steepest = Math.max(steepest, gained / i)
  }
  return Math.min(1, (tail + 2 * canaries * delta * steepest) * (1 + ROUNDING) + Number.MIN_VALUE)
}
