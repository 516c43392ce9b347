import { FedsvdError } from '../errors.ts'
import type { Accountant } from './accountant.ts'
import { type BudgetQuestion, calibrateNoiseMultiplier, stepsAffordable } from './calibrate.ts'
import { checkSteps } from './events.ts'
import { pld } from './pld.ts'
import { rdp } from './rdp.ts'

/** One way to spend a budget. */
export interface PlanRow {
  /** Which of the two numbers was computed from the other. */
  readonly solvedFor: 'noiseMultiplier' | 'rounds'
  readonly rounds: number
  /** rounds times the steps of a round */
  readonly steps: number
  readonly noiseMultiplier: number
  /** What this plan costs on top of the prior, by either accountant; the plan keeps the one it was solved with in budget. */
  readonly epsilonRdp: number
  readonly epsilonPld: number
}

export interface PlanQuestion extends Omit<BudgetQuestion, 'accountant'> {
  readonly stepsPerRound: number
  /** Numbers of rounds for which to find the noise. */
  readonly rounds?: readonly number[]
  /** Noise multipliers for which to find the number of rounds. */
  readonly noiseMultipliers?: readonly number[]
  /** The accountant that decides; `pld` unless said otherwise. */
  readonly accountant?: Accountant
}

/**
 * The trade of a privacy budget as a table: how much noise each number of rounds takes, and how many rounds each amount
 * of noise allows. Rows come in the order of the question, rounds first.
 *
 * @throws FedsvdError BUDGET_TOO_SMALL when the budget cannot pay for some of the asked `rounds` with any noise;
 *   CONFIG_INVALID or NOISE_INVALID when a value is out of range or nothing is asked.
 */
export function planTable(question: PlanQuestion): PlanRow[] {
  const { delta, sampleRate, stepsPerRound, prior = [], rounds = [], noiseMultipliers = [] } = question
  const budget = { ...question, accountant: question.accountant ?? pld }
  checkSteps(stepsPerRound)
  if (rounds.length + noiseMultipliers.length === 0) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'numbers of rounds or noise multipliers to plan for',
      got: 'neither',
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
      noiseMultiplier,
      epsilonRdp: rdp.epsilonUpperBound(events, delta),
      epsilonPld: pld.epsilonUpperBound(events, delta),
    }
  }
  return [
    ...rounds.map((count) => {
      const steps = count * stepsPerRound
      return row('noiseMultiplier', count, calibrateNoiseMultiplier({ ...budget, steps }))
    }),
    ...noiseMultipliers.map((noiseMultiplier) => {
      const steps = stepsAffordable({ ...budget, noiseMultiplier })
      return row('rounds', Math.floor(steps / stepsPerRound), noiseMultiplier)
    }),
  ]
}
