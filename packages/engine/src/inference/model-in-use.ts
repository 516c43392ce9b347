import type { Task } from '@fedsvd/core/lora'
import type { Tokenizer } from '../tokenizers/index.ts'
import type { Scorer } from './scorer.ts'

/** A trained model that texts can be given to, wherever it came from. Disposing it lets go of its runtime. */
export interface ModelInUse extends AsyncDisposable {
  /** The base model, or the folder. */
  readonly name: string
  readonly task: Task
  /** Classes or tags in the order of the logits; none where tokens are predicted. */
  readonly labels: readonly string[]
  /** Longer texts are cut to this many tokens, as in training. */
  readonly maxTokens: number
  /** Texts that are written end at this many tokens, the prompt included. */
  readonly places: number
  readonly tokenizer: Tokenizer
  readonly scorer: Scorer
}

/** What a model of texts is asked about. */
export interface TextInput {
  readonly text: string
  /** The second text, where the model is about pairs. */
  readonly pair?: string | undefined
}

/** Texts are read in a process of their own: one that a tokenizer cannot read ends the process that reads it. */
export const APART = { isApart: true } as const
