import { predictsTokens, type Task } from '@fedsvd/core/lora'

/** As many tokens as a text may have that a model writes, where its checkpoint has places for more. */
const MOST_WRITTEN = 2048

/** Places that a model is opened with: for what it was trained on, and for texts that it writes. */
export function placesFor(task: Task, maxTokens: number, longest: number): number {
  return predictsTokens(task) ? Math.min(longest, Math.max(maxTokens, MOST_WRITTEN)) : maxTokens
}
