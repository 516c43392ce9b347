import type { AdapterSchema, AdapterState, Task } from '@fedsvd/core/lora'

/** What an export is made of: a state of a run, and what the run says about itself. */
export interface TrainedState {
  /** Absent: sequence classification. */
  readonly task?: Task | undefined
  readonly schema: AdapterSchema
  readonly state: AdapterState
  /** Class names in the order of the logits. */
  readonly labels: readonly string[]
  /** What multiplied the input of the head's output layer in training, 1 unless given. */
  readonly featureScale?: number | undefined
  /** The run's longest text, in tokens: tokenizers are told to cut there, as in training. Absent: they are not. */
  readonly maxTokens?: number | undefined
  /** Free text facts for the files' metadata: run, round, privacy. */
  readonly metadata?: Readonly<Record<string, string>>
}
