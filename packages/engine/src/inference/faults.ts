import { FedsvdError } from '@fedsvd/core/errors'
import type { Task } from '@fedsvd/core/lora'

/** The refusal of a question that a model of another task cannot answer. */
export function wrongTask(asked: Task, task: Task): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: `a model for ${asked}`,
    got: `one for ${task}`,
    remedy: 'Ask it what it was trained for: see docs/reference/tasks.md.',
  })
}
