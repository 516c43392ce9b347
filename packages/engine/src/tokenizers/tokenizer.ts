/** A text, or two, as a model takes them. */
export interface EncodedText {
  readonly tokenIds: Int32Array
  /** Which of two texts a token belongs to, for models that are told; absent means 0 throughout. */
  readonly typeIds?: Int32Array
}

/** The words of a text as a model takes them. */
export interface EncodedWords {
  readonly tokenIds: Int32Array
  /** Where each word begins in `tokenIds`; -1 for a word that was cut off, or that is no token. */
  readonly firstTokens: Int32Array
}

/** Turns text into the token ids that one model's embedding table is indexed by. */
export interface Tokenizer {
  /** Ids lie in [0, vocabularySize). The model's table may have more rows; they are never addressed. */
  readonly vocabularySize: number
  /** True where white space means something to the model, so that texts must come as they are. */
  readonly keepsWhiteSpace?: boolean
  /**
   * The first `maxTokens` ids of `text`: at least one and at most `maxTokens` of them, none of them padding.
   *
   * @throws FedsvdError CONFIG_INVALID when `maxTokens` is not a positive integer, or leaves no room for a token: it
   *   rejects with it.
   */
  encode(text: string, maxTokens: number): Promise<Int32Array>
  /** Two texts, with the model's separators; absent where the model takes one text only. */
  encodePair?(first: string, second: string, maxTokens: number): Promise<EncodedText>
  /** Words one by one, with the model's special tokens around them; absent where the model takes whole texts only. */
  encodeWords?(words: readonly string[], maxTokens: number): Promise<EncodedWords>
  /** The special tokens before a text and the text, uncut, without what stands behind it; absent as above. */
  encodeBeginning?(text: string): Promise<Int32Array>
  /** The text alone, uncut: what continues another; absent as above. */
  encodeContinuation?(text: string): Promise<Int32Array>
  /** The text of ids, without special tokens; absent where the model writes none. */
  decode?(ids: readonly number[]): Promise<string>
  /** The token that says that a text is over, for models that write texts. */
  readonly endId?: number | undefined
}
