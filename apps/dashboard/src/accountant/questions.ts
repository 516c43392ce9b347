import type { AccountedEvent, FilterRule } from '@fedsvd/core/accounting'

/** A point of a curve: after this round, this upper bound on epsilon. */
export type Point = readonly [round: number, epsilon: number]

export interface BurnDownQuestion {
  /** What was spent, round by round. */
  readonly spent: readonly (AccountedEvent & { readonly round: number })[]
  /** One more round. */
  readonly next: AccountedEvent
  readonly budget: { readonly epsilon: number; readonly delta: number }
  /** Rounds published, and rounds of the run. */
  readonly roundsDone: number
  readonly rounds: number
  /**
   * The cap of an operator on all runs, and what other runs have spent of it; the projection ends where either limit
   * does.
   */
  readonly cap?: {
    readonly epsilon: number
    readonly delta: number
    readonly elsewhere: readonly AccountedEvent[]
    /** By which the coordinator holds the cap. */
    readonly rule?: FilterRule | undefined
  }
  /** Rounds that get a point in any case. */
  readonly at?: readonly number[]
  /** True for when it runs out, without the curve. */
  readonly isBrief?: boolean
}

export interface BurnDown {
  readonly points: readonly Point[]
  /** From now on, if the client is asked in every round and as long as its budget allows. */
  readonly projection: readonly Point[]
  /** Further rounds that the budget buys, up to the end of the run. */
  readonly roundsLeft: number
  /** The number of the first round that it can no longer take part in; absent where the budget lasts. */
  readonly runsOutAt?: number
  /** True where it is the cap of an operator that ends it, not the budget that the site stated. */
  readonly isByCap?: boolean
}

export interface PlanQuestionOfPage {
  readonly budget: { readonly epsilon: number; readonly delta: number }
  readonly sampleRate: number
  readonly localSteps: number
  readonly rounds: number
  /** Absent: found from the budget. */
  readonly noiseMultiplier?: number
  /**
   * Earlier runs like this one over the same data; the filter of the site's ledger counts all of them. None unless
   * given.
   */
  readonly earlierRuns?: number
}

export interface PlanOfPage {
  readonly noiseMultiplier: number
  /** What a client calibrates for beside the steps of its rounds; only interruptions spend it. */
  readonly spareSteps: number
  readonly epsilonOfOneRound: number
  readonly epsilonPld: number
  readonly epsilonRdp: number
  /** What the filter charges for all runs; absent for a first run, which PLD holds. */
  readonly epsilonFilter?: number
  /** Rounds that the budget buys at this noise, beside the earlier runs. */
  readonly roundsAffordable: number
}

export interface CurveQuestion {
  readonly sampleRate: number
  readonly noiseMultiplier: number
  readonly localSteps: number
  readonly rounds: number
  readonly delta: number
}

export interface SpentQuestion {
  readonly events: readonly AccountedEvent[]
  readonly delta: number
}

export interface Spent {
  readonly epsilonPld: number
  readonly epsilonRdp: number
}

/** What the worker can be asked, and what it answers. */
export interface Questions {
  burnDown: { asks: BurnDownQuestion; answers: BurnDown }
  plan: { asks: PlanQuestionOfPage; answers: PlanOfPage }
  curve: { asks: CurveQuestion; answers: readonly Point[] }
  spent: { asks: SpentQuestion; answers: Spent }
}
