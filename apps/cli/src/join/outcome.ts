import type { SiteEnding } from '@fedsvd/client'
import { FedsvdError } from '@fedsvd/core/errors'
import { EXIT } from '../exit-codes.ts'

/** Why a client ended by itself: the exit code for scripts, and the error for people where it is not 0. */
export interface Outcome {
  readonly exitCode: number
  readonly error?: Error
}

/** @param ending an error where the coordinator turned the client away */
export function outcomeOf(ending: Error | SiteEnding): Outcome {
  if (ending instanceof Error) return { exitCode: EXIT.refused, error: ending }
  if (ending.kind === 'declined') return { exitCode: EXIT.declined, error: ending.error }
  const { kind, state, reason = 'no reason given' } = ending
  if (kind === 'refused') return { exitCode: EXIT.refused, error: notCompleted(`this site refused (${reason})`) }
  if (state === 'completed') return { exitCode: EXIT.done }
  return { exitCode: EXIT[state], error: notCompleted(`${state} (${reason})`) }
}

function notCompleted(got: string): FedsvdError {
  return new FedsvdError('RUN_STATE', {
    expected: 'the run to complete',
    got,
    remedy: 'Ask who runs the coordinator.',
  })
}
