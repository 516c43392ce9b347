import { FedsvdError } from '../errors.ts'
import type { Accountant } from './accountant.ts'
import { type BudgetQuestion, calibrateNoiseMultiplier, stepsAffordable } from './calibrate.ts'
import type { AccountedEvent } from './event.ts'
import { checkSteps } from './events.ts'
import { bestOrder, type FilterRule, filterOf, type PrivacyBudget } from './filter.ts'
import { pld } from './pld.ts'
import { rdp } from './rdp.ts'
import { roundsWithSpares, scheduledSteps } from './spare-steps.ts'

/** One way to spend a budget. */
export interface PlanRow {
  /** Which of the two numbers was computed from the other. */
  readonly solvedFor: 'noiseMultiplier' | 'rounds'
  readonly rounds: number
  /** rounds times the steps of a round */
  readonly steps: number
  /** What clients calibrate for beside them, so that interruptions have something to spend. */
  readonly spareSteps: number
  readonly noiseMultiplier: number
  /**
   * What the rounds cost on top of the prior, undisturbed, by either accountant; with the spare steps they fill the
   * budget.
   */
  readonly epsilonRdp: number
  readonly epsilonPld: number
  /** What the filter over all runs charges for the prior and the rounds; absent where no filter decided. */
  readonly epsilonFilter?: number
}

export interface PlanQuestion extends Omit<BudgetQuestion, 'accountant'> {
  readonly stepsPerRound: number
  /** Numbers of rounds for which to find the noise. */
  readonly rounds?: readonly number[]
  /** Noise multipliers for which to find the number of rounds. */
  readonly noiseMultipliers?: readonly number[]
  /**
   * The accountant that decides. Unless said otherwise `pld` for a first run, and for a later one the filter of
   * `laterRule`.
   */
  readonly accountant?: Accountant
}

/**
 * The filter that pays for a run beside `prior`: at the order that a ledger fixes before a first run with the mechanism
 * of the first of these events. Undefined for a first run, whose schedule is fixed, so that PLD holds.
 */
export function laterRule(
  prior: readonly AccountedEvent[],
  budget: PrivacyBudget,
): Extract<FilterRule, { kind: 'renyi' }> | undefined {
  const [first] = prior
  return first && { kind: 'renyi', order: bestOrder([{ ...first, steps: 1 }], budget) }
}

/**
 * The trade of a privacy budget as a table: how much noise each number of rounds takes, and how many rounds each amount
 * of noise allows, with the spare steps that clients calibrate for. Rows come in the order of the question, rounds
 * first.
 *
 * @throws FedsvdError BUDGET_TOO_SMALL when the budget cannot pay for some of the asked `rounds` with any noise;
 *   CONFIG_INVALID or NOISE_INVALID when a value is out of range or nothing is asked.
 */
export function planTable(question: PlanQuestion): PlanRow[] {
  const { delta, sampleRate, stepsPerRound, prior = [], rounds = [], noiseMultipliers = [] } = question
  const rule = laterRule(prior, question)
  const budget = { ...question, accountant: question.accountant ?? (rule === undefined ? pld : filterOf(rule)) }
  checkSteps(stepsPerRound)
  if (rounds.length + noiseMultipliers.length === 0) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'numbers of rounds or noise multipliers to plan for',
      got: 'a question without rounds and noiseMultipliers',
      remedy: 'Give rounds, for example 10, 50 and 100, or noise multipliers, for example 0.8, 1 and 1.5.',
    })
  }
  const row = (solvedFor: PlanRow['solvedFor'], count: number, noiseMultiplier: number): PlanRow => {
    const steps = count * stepsPerRound
    const events = steps === 0 ? prior : [...prior, { sampleRate, noiseMultiplier, steps }]
    return {
      solvedFor,
      rounds: count,
      steps,
      spareSteps: count === 0 ? 0 : scheduledSteps({ rounds: count, localSteps: stepsPerRound }) - steps,
      noiseMultiplier,
      epsilonRdp: rdp.epsilonUpperBound(events, delta),
      epsilonPld: pld.epsilonUpperBound(events, delta),
      ...(budget.accountant.name === 'filter' && {
        epsilonFilter: budget.accountant.epsilonUpperBound(events, delta),
      }),
    }
  }
  return [
    ...rounds.map((count) => {
      const steps = scheduledSteps({ rounds: count, localSteps: stepsPerRound })
      return row('noiseMultiplier', count, calibrateNoiseMultiplier({ ...budget, steps }))
    }),
    ...noiseMultipliers.map((noiseMultiplier) => {
      const steps = stepsAffordable({ ...budget, noiseMultiplier })
      return row('rounds', roundsWithSpares(steps, stepsPerRound), noiseMultiplier)
    }),
  ]
}
