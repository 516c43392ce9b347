/** Turns text into the token ids that one model's embedding table is indexed by. */
export interface Tokenizer {
  /** Ids lie in [0, vocabularySize). The model's table may have more rows; they are never addressed. */
  readonly vocabularySize: number
  /**
   * The first `maxTokens` ids of `text`: at least one and at most `maxTokens` of them, none of them padding.
   *
   * @throws FedsvdError CONFIG_INVALID when `maxTokens` is not a positive integer.
   */
  encode(text: string, maxTokens: number): Int32Array
}
