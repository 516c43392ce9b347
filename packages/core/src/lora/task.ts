/**
 * What a run trains its model for. A manifest without a task means `sequence-classification`.
 *
 * `sequence-classification`: one label for a text. `token-classification`: one tag for each word of a text. `causal-lm`: the
 * next token of a text. `instruction-tuning`: the next token of an answer, given a prompt that is itself not learned.
 */
export const TASKS = ['sequence-classification', 'token-classification', 'causal-lm', 'instruction-tuning'] as const

export type Task = (typeof TASKS)[number]

/** True for the tasks whose outputs are the vocabulary: they have no head of their own and no labels. */
export function predictsTokens(task: Task): boolean {
  return task === 'causal-lm' || task === 'instruction-tuning'
}
