import { DEFAULT_TASK, type Task } from '@fedsvd/core/lora'

interface Sourced {
  /** Where it comes from, such as a mailing list. Never seen by a model. */
  readonly source?: string
  /** The person that it belongs to, where the site names a column for it; absent where that column has no value. */
  readonly unit?: string
}

/** One labelled text, or a pair of texts, as a data set holds it, for sequence classification. */
export interface TextRecord extends Sourced {
  readonly task?: 'sequence-classification'
  readonly text: string
  /** The second text, where the label is about two. */
  readonly pair?: string
  readonly label: string
}

/** The words of a text, each with its tag: as many tags as words, at least one. */
export interface TaggedRecord extends Sourced {
  readonly task: 'token-classification'
  readonly words: readonly string[]
  readonly tags: readonly string[]
}

/** A text that a language model learns to continue. */
export interface PassageRecord extends Sourced {
  readonly task: 'causal-lm'
  readonly text: string
}

/** What a model is asked and what it should answer; only the answer is learned. */
export interface InstructionRecord extends Sourced {
  readonly task: 'instruction-tuning'
  readonly prompt: string
  readonly answer: string
}

/**
 * One record of a site, by the task that it is for. Its whole loss makes one gradient. It is the unit of privacy unless
 * the run has persons as units: see `unit`.
 */
export type SiteRecord = TextRecord | TaggedRecord | PassageRecord | InstructionRecord

/** The records of one task. */
export type RecordOf<T extends Task> = Extract<SiteRecord, { readonly task?: T }>

/** The task of a record; a record without one is for sequence classification. */
export function taskOf({ task }: SiteRecord): Task {
  return task ?? DEFAULT_TASK
}
