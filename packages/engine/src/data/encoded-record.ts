/** One record as the engine takes it: 1 to maxTokens ids of the model's vocabulary, and the position of its label. */
export interface EncodedRecord {
  readonly tokenIds: Int32Array
  /** Which of two texts a token belongs to, as many as tokens; absent means 0 throughout. */
  readonly typeIds?: Int32Array
  readonly label: number
}
