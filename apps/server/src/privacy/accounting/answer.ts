import { type AccountedEvent, calibrateNoiseMultiplier, pld, rdp } from '@fedsvd/core/accounting'
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
  const accountant = ACCOUNTANTS[question.by]
  if (question.kind === 'bound') return accountant.epsilonUpperBound(question.events, question.delta)
  const { budget, sampleRate, steps } = question
  return calibrateNoiseMultiplier({ ...budget, sampleRate, steps, accountant })
}
