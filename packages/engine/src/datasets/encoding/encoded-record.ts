/** A target that carries no loss, as PyTorch's `ignore_index` has it. */
export const IGNORED = -100

interface Tokens {
  /** 1 to maxTokens ids of the model's vocabulary. */
  readonly tokenIds: Int32Array
  /** Which of two texts a token belongs to, as many as tokens; absent means 0 throughout. */
  readonly typeIds?: Int32Array
}

/** A record for sequence classification: the position of its label. */
export interface LabelledRecord extends Tokens {
  readonly label: number
}

/**
 * A record for the other tasks: what is to be said at each of its tokens, as many as tokens. The position of a tag, or
 * the id of the token that follows; {@link IGNORED} where there is no loss. The record's loss is the mean over the
 * others.
 */
export interface TargetedRecord extends Tokens {
  readonly targets: Int32Array
}

/** One record as the engine takes it. */
export type EncodedRecord = LabelledRecord | TargetedRecord
