import { FedsvdError } from '@fedsvd/core/errors'
import { isRunOver, type RunSnapshot } from '@fedsvd/core/protocol'
import { EXIT } from '../exit-codes.ts'

/** With what `run watch` leaves: the exit code for scripts, and the error where the run was not completed. */
export function outcomeOfRun({ state, reason = 'no reason given' }: RunSnapshot): {
  readonly exitCode: number
  readonly error?: FedsvdError
} {
  if (state === 'completed' || !isRunOver(state)) return { exitCode: EXIT.done }
  const error = new FedsvdError('RUN_STATE', {
    expected: 'the run to complete',
    got: `${state} (${reason})`,
    remedy: 'Look at its alerts with `fedsvd run show`.',
  })
  return { exitCode: EXIT[state], error }
}
