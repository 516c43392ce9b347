/** A value of a type that JavaScript has no exact one for, such as a decimal or an instant in microseconds. */
export class Spelled {
  /** In its one spelling; undefined for what says that there is no value. */
  readonly text: string | undefined
  /** What it is, for errors. */
  readonly kind: string
  /** What the reader made of it before it was exact: by that, a ledger may know a data set. */
  readonly former: unknown

  constructor(text: string | undefined, kind: string, former: unknown) {
    this.text = text
    this.kind = kind
    this.former = former
  }
}
