import { FedsvdError } from '@fedsvd/core/errors'
import { burnDown, curve, plan, spent } from './answers.ts'
import type { Questions } from './questions.ts'

const ANSWERS: Readonly<Record<keyof Questions, unknown>> = { burnDown, curve, plan, spent }

export interface Asked {
  readonly id: number
  readonly kind: keyof Questions
  readonly question: unknown
}
export interface Answered {
  readonly id: number
  readonly answer?: unknown
  readonly error?: unknown
}

/** Runs the accountant beside the page, so that nothing on it ever waits. */
self.addEventListener('message', ({ data }: MessageEvent<Asked>) => {
  const { id, kind, question } = data
  try {
    self.postMessage({ id, answer: (ANSWERS[kind] as (asked: unknown) => unknown)(question) } satisfies Answered)
  } catch (error) {
    const told = error instanceof FedsvdError ? error.toJSON() : { code: 'UNEXPECTED', got: String(error) }
    self.postMessage({ id, error: told } satisfies Answered)
  }
})
