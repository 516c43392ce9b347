import { FedsvdError } from '../errors.ts'
import { checkLevel } from './check.ts'
import { curvePValue, epsilonLowerBound } from './curve-test.ts'
import { countCorrect, type GuessOutcome, type GuessPlan, guessPlans } from './guesses.ts'
import { oneRunEpsilon } from './one-run.ts'
import type { PrivacyCurve } from './privacy-curve.ts'

const FEWEST_CANARIES = 64

/** What an audit found. Every bound holds with the confidence that was asked for, all plans together. */
export interface AuditResult {
  /** The claim: an upper bound on epsilon at `delta`, the curve's first point. */
  readonly epsilonUpperBound: number
  readonly delta: number
  readonly confidence: number
  /** At least this epsilon at `delta`, whatever the mechanism is. */
  readonly epsilonLowerBound: number
  /** The same by Theorem 5.2 of Steinke, Nasr and Jagielski 2023, for comparison with published audits. */
  readonly epsilonLowerBoundOneRun: number
  /** An upper bound on the chance of guesses this good if the whole claimed curve held. */
  readonly pValue: number
  /** True when pValue <= 1 - confidence. epsilonLowerBound > epsilonUpperBound implies it. */
  readonly exceeded: boolean
  /** The plan that gave epsilonLowerBound. */
  readonly best: GuessOutcome
  /** How many plans were tried and paid for. */
  readonly plans: number
  /** What came of each of them. */
  readonly outcomes: readonly GuessOutcome[]
}

/**
 * Holds canary scores against a claimed privacy curve.
 *
 * Each of the {@link guessPlans} is tested at (1 - confidence) / plans (Bonferroni), so the chance that a mechanism
 * which keeps its promises is rejected is at most 1 - confidence. All tests use the same guesses, and the curve
 * contains the point (epsilonUpperBound, delta): a lower bound above the claim rejects the curve as well, so there is
 * one verdict.
 *
 * @param curve the claim; its first point is the (epsilon, delta) that is shown
 * @param tried plans that were fixed before anything was measured; those of {@link guessPlans} unless given
 * @throws FedsvdError CONFIG_INVALID for a confidence outside (0, 1) or fewer than 64 canaries
 */
export function judge(
  scores: Float64Array,
  included: Uint8Array,
  curve: PrivacyCurve,
  confidence: number,
  tried: readonly GuessPlan[] = guessPlans(scores.length),
): AuditResult {
  checkLevel(1 - confidence)
  if (scores.length < FEWEST_CANARIES || scores.length !== included.length) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `one score and one coin for each of at least ${FEWEST_CANARIES} canaries`,
      got: `${scores.length} scores and ${included.length} coins`,
      remedy: 'Audit with more canaries: 10,000 see what 1,000 miss.',
    })
  }
  const { epsilon: epsilonUpperBound, delta } = curve[0]!
  const outcomes = countCorrect(scores, included, tried)
  const plans = outcomes.length
  const level = (1 - confidence) / plans
  const bounds = outcomes.map((outcome) => epsilonLowerBound(outcome, delta, level))
  const epsilonBound = Math.max(...bounds)
  const pValue = Math.min(1, plans * Math.min(...outcomes.map((outcome) => curvePValue(outcome, curve))))
  return {
    epsilonUpperBound,
    delta,
    confidence,
    epsilonLowerBound: epsilonBound,
    epsilonLowerBoundOneRun: Math.max(...outcomes.map((outcome) => oneRunEpsilon(outcome, delta, level))),
    pValue,
    exceeded: pValue <= 1 - confidence || epsilonBound > epsilonUpperBound,
    best: outcomes[bounds.indexOf(epsilonBound)]!,
    plans,
    outcomes,
  }
}
