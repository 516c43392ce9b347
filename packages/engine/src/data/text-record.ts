/** One labelled text as a data set holds it. */
export interface TextRecord {
  readonly text: string
  readonly label: string
  /** Where it comes from, such as a mailing list. Never seen by a model. */
  readonly source?: string
}
