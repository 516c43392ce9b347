import type { AdapterState } from '@fedsvd/core/lora'
import type { EncodedText } from '../tokenizers/index.ts'
import type { TargetedRecord, TargetScores, TaskEngine } from '../training/index.ts'

/** What a model says of texts: one row of logits for each. */
export interface TextScorer extends AsyncDisposable {
  /** Row-major [texts, classes]. */
  logits(texts: readonly EncodedText[]): Promise<Float32Array>
}

/** What a model says at the targets of texts: a tag or the next token at each. */
export interface TokenScorer extends AsyncDisposable {
  scores(records: readonly TargetedRecord[]): Promise<readonly TargetScores[]>
}

/** A model with its trained state inside: which of the two follows from its task. */
export type Scorer = TextScorer | TokenScorer

/** The engine of a run and one of its states, as one; disposing it disposes of the engine. */
export function engineScorer(engine: TaskEngine, state: AdapterState): Scorer {
  const close = () => engine[Symbol.asyncDispose]()
  if ('logits' in engine) {
    return {
      logits: (texts) =>
        engine.logits(
          texts.map((text) => ({ ...text, label: 0 })),
          state,
        ),
      [Symbol.asyncDispose]: close,
    }
  }
  return { scores: (records) => engine.scores(records, state), [Symbol.asyncDispose]: close }
}
