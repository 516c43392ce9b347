/**
 * What a run trains its model for.
 *
 * `sequence-classification`: one label for a text. `token-classification`: one tag for each word of a text.
 * `causal-lm`: the next token of a text. `instruction-tuning`: the next token of an answer, given a prompt that is
 * itself not learned.
 */
export const TASKS = ['sequence-classification', 'token-classification', 'causal-lm', 'instruction-tuning'] as const

export type Task = (typeof TASKS)[number]

/** The task of what names none: a manifest, a record, a trained state. */
export const DEFAULT_TASK: Task & 'sequence-classification' = 'sequence-classification'

/** True for the tasks whose outputs are the vocabulary: they have no head of their own and no labels. */
export function predictsTokens(task: Task): boolean {
  return task === 'causal-lm' || task === 'instruction-tuning'
}
