import { FedsvdError } from '../errors.ts'
import { findCrossing, lastNotAbove } from '../numeric/index.ts'
import type { Accountant } from './accountant.ts'
import type { AccountedEvent } from './event.ts'
import { checkDelta, checkEpsilon, checkNoiseMultiplier, checkSampleRate, checkSteps } from './events.ts'
import { rdp } from './rdp.ts'

/** What both questions share: a budget, a sampling rate, and what the data set has spent before. */
export interface BudgetQuestion {
  readonly epsilon: number
  readonly delta: number
  readonly sampleRate: number
  /** Everything already recorded against the same data; the budget covers it too. */
  readonly prior?: readonly AccountedEvent[]
  readonly accountant: Accountant
}

/** A calibration lands between this share of what is left of the budget and the whole of it. */
const LANDING = 0.999
/** So small a share of a budget is not told apart from nothing: accountants have no more digits to search by. */
const LEAST_REMAINDER = 1e-6

/** Less noise than the first is no protection at any scale; more than the second leaves nothing to learn from. */
export const NOISE_RANGE = { least: 0.02, most: 1e6 } as const

/**
 * The noise multiplier at which `steps` steps, on top of `prior`, spend the budget: recomputing epsilon at the result
 * gives at least 99.9 % of what `prior` has left of it, and never more than all of it.
 *
 * @throws FedsvdError BUDGET_TOO_SMALL when no amount of noise fits the budget (the prior already fills it, or epsilon
 *   is too small for any useful noise); CONFIG_INVALID when a value is out of range, or when delta is so large that the
 *   budget is met without noise.
 * @example calibrateNoiseMultiplier({ accountant: rdp, epsilon: 6, delta: 1e-5, sampleRate: 0.1, steps: 60 }) // 1.03
 */
export function calibrateNoiseMultiplier(question: BudgetQuestion & { readonly steps: number }): number {
  checkQuestion(question)
  checkSteps(question.steps)
  const { accountant, epsilon, prior = [], delta, sampleRate, steps } = question
  const spent = prior.length === 0 ? 0 : accountant.epsilonUpperBound(prior, delta)
  // Measured by what is left: 99.9 % of the budget may be spent already, and then any noise at all would do.
  const slack = Math.max((1 - LANDING) * (epsilon - spent), LEAST_REMAINDER * epsilon)
  const aim = epsilon - slack / 2
  const excess = (logNoise: number) => {
    const event = { sampleRate, noiseMultiplier: Math.exp(logNoise), steps }
    return logRatio(accountant.epsilonUpperBound([...prior, event], delta), aim)
  }
  const lands = (value: number) => value >= logRatio(epsilon - slack, aim) && value <= logRatio(epsilon, aim)

  let low = Math.log(neighbourhood(question, (quick) => calibrateNoiseMultiplier({ ...question, ...quick })) ?? 1)
  let high = low
  let atLow = excess(low)
  let atHigh = atLow
  for (let stride = 0.1; atHigh > 0 && !lands(atHigh); stride *= 2) {
    if (high >= Math.log(NOISE_RANGE.most)) throw budgetTooSmall(question)
    ;[low, atLow] = [high, atHigh]
    high = Math.min(high + stride, Math.log(NOISE_RANGE.most))
    atHigh = excess(high)
  }
  if (lands(atHigh)) return Math.exp(high)
  for (let stride = 0.1; atLow <= 0 && !lands(atLow); stride *= 2) {
    if (low <= Math.log(NOISE_RANGE.least)) throw noiseNotNeeded(question)
    ;[high, atHigh] = [low, atLow]
    low = Math.max(low - stride, Math.log(NOISE_RANGE.least))
    atLow = excess(low)
  }
  if (lands(atLow)) return Math.exp(low)
  return Math.exp(findCrossing(excess, { low, high, atLow, atHigh }, lands))
}

/**
 * How many steps of this noise the budget buys on top of `prior`: the largest number whose epsilon is within the
 * budget, 0 when it does not buy one, and never more than `atMost`.
 *
 * @throws FedsvdError CONFIG_INVALID or NOISE_INVALID when a value is out of range.
 * @example stepsAffordable({ accountant: rdp, epsilon: 6, delta: 1e-5, sampleRate: 0.1, noiseMultiplier: 1 }) // 52
 */
export function stepsAffordable(
  question: BudgetQuestion & { readonly noiseMultiplier: number; readonly atMost?: number },
): number {
  checkQuestion(question)
  checkNoiseMultiplier(question.noiseMultiplier)
  const { accountant, epsilon, prior = [], delta, sampleRate, noiseMultiplier, atMost = 10_000_000 } = question
  checkSteps(atMost)
  const excess = (steps: number) => {
    const events = steps === 0 ? prior : [...prior, { sampleRate, noiseMultiplier, steps }]
    return logRatio(accountant.epsilonUpperBound(events, delta), epsilon)
  }

  let low = neighbourhood(question, (quick) => stepsAffordable({ ...question, ...quick })) ?? 1
  let atLow = excess(low)
  if (atLow > 0) {
    const atNone = excess(0)
    if (atNone > 0) return 0
    return lastNotAbove(excess, { low: 0, high: low, atLow: atNone, atHigh: atLow })
  }
  for (;;) {
    if (low >= atMost) return atMost
    const high = Math.min(atMost, Math.ceil(low * 1.3) + 1)
    const atHigh = excess(high)
    if (atHigh > 0) return lastNotAbove(excess, { low, high, atLow, atHigh })
    ;[low, atLow] = [high, atHigh]
  }
}

/** The fast accountant's answer to the same question, from which a slower one starts its search. */
function neighbourhood(
  { accountant, epsilon, delta, prior = [] }: BudgetQuestion,
  ask: (quick: { accountant: Accountant }) => number,
): number | undefined {
  if (accountant.name === rdp.name || rdp.epsilonUpperBound(prior, delta) >= epsilon) return undefined
  return ask({ accountant: rdp }) || undefined
}

/** log(epsilon / reference), kept finite where epsilon is 0 or infinite. */
function logRatio(epsilon: number, reference: number): number {
  return Math.log(Math.min(1e300, Math.max(epsilon, reference * 1e-9)) / reference)
}

function checkQuestion({ epsilon, delta, sampleRate }: BudgetQuestion): void {
  checkEpsilon(epsilon)
  checkDelta(delta)
  checkSampleRate(sampleRate)
  if (epsilon === 0) {
    throw new FedsvdError('BUDGET_TOO_SMALL', {
      expected: 'an epsilon above 0',
      got: '0',
      remedy: 'No training is possible without spending something; set a budget, for example 6.',
    })
  }
}

function budgetTooSmall({ accountant, epsilon, delta, prior = [] }: BudgetQuestion): FedsvdError {
  const spent = accountant.epsilonUpperBound(prior, delta)
  return new FedsvdError('BUDGET_TOO_SMALL', {
    expected: `a budget that buys these steps at delta ${delta} with a noise multiplier up to ${NOISE_RANGE.most}`,
    got: `epsilon ${epsilon}, of which ${spent} is already spent`,
    remedy: 'Raise epsilon, take fewer steps, or use data with budget left.',
  })
}

function noiseNotNeeded({ epsilon, delta }: BudgetQuestion): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'a budget that needs noise',
    got: `epsilon ${epsilon} at delta ${delta}, which is met with a noise multiplier of ${NOISE_RANGE.least}`,
    remedy: 'Choose delta at most 1 / records and an epsilon that means something, for example 6.',
  })
}
