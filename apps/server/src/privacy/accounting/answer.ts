import {
  type AccountedEvent,
  calibrateNoiseMultiplier,
  type FilterRule,
  type FirstRun,
  filterOf,
  pld,
  rdp,
  ruleOfFacts,
} from '@fedsvd/core/accounting'
import { type FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { Budget } from '@fedsvd/core/protocol'

/** What accounting is asked in its thread. Everything is plain data, so that it crosses a thread. */
export type Question =
  | {
      readonly kind: 'bound'
      readonly by: 'rdp' | 'pld'
      readonly events: readonly AccountedEvent[]
      readonly delta: number
    }
  | ({ readonly kind: 'noise' } & NoiseQuestion)
  /** 1 when the filter of the rule admits the events, else 0. */
  | {
      readonly kind: 'admits'
      readonly rule: FilterRule
      readonly events: readonly AccountedEvent[]
      readonly budget: Budget
    }
  /**
   * The order of the Renyi filter that `ruleOfFacts` decides for; 0 where it decides for the schedule of the first run.
   */
  | ({ readonly kind: 'order' } & RuleQuestion)

/** By which rule an account of these facts is held against a budget. */
export interface RuleQuestion {
  readonly spent: readonly AccountedEvent[]
  readonly first: FirstRun
  readonly budget: Budget
}

/** Which noise spends the budget in so many steps. */
export interface NoiseQuestion {
  readonly by: 'rdp' | 'pld'
  readonly budget: Budget
  readonly sampleRate: number
  readonly steps: number
}

/** A number, or the error of the catalogue that the accountant refused the question with. */
export type Answer = { readonly value: number } | { readonly error: ReturnType<FedsvdError['toJSON']> }

const ACCOUNTANTS = { rdp, pld } as const

/** Answers one question, however long it takes. */
export function answer(question: Question): Answer {
  try {
    return { value: numberFor(question) }
  } catch (error) {
    if (isFedsvdError(error)) return { error: error.toJSON() }
    throw error
  }
}

function numberFor(question: Question): number {
  if (question.kind === 'admits') return filterOf(question.rule).allows(question.events, question.budget) ? 1 : 0
  if (question.kind === 'order') {
    const rule = ruleOfFacts(question.spent, question.first, question.budget)
    return rule.kind === 'renyi' ? rule.order : 0
  }
  const accountant = ACCOUNTANTS[question.by]
  if (question.kind === 'bound') return accountant.epsilonUpperBound(question.events, question.delta)
  const { budget, sampleRate, steps } = question
  return calibrateNoiseMultiplier({ ...budget, sampleRate, steps, accountant })
}
