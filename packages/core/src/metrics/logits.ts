import { logSumExp } from '../numeric/index.ts'

/** Row-major logits [records, classes] and the class of each record. */
export interface LabelledLogits {
  readonly logits: Float32Array
  readonly labels: ArrayLike<number>
  readonly classes: number
}

/** Softmax of each row of [records, classes], in float64. */
export function probabilitiesOf(logits: Float32Array, classes: number): Float64Array[] {
  return rowsOf(logits, classes).map((row) => {
    const total = logSumExp(row)
    return Float64Array.from(row, (logit) => Math.exp(logit - total))
  })
}

/** The most likely class; of equals the first. */
export function mostLikely(row: Float32Array | Float64Array): number {
  let best = 0
  for (let index = 1; index < row.length; index++) if (row[index]! > row[best]!) best = index
  return best
}

/** The cross-entropy of a target in nats, and what is predicted in its place: of equals the first. */
export function targetScore(row: Float32Array, target: number): { readonly loss: number; readonly predicted: number } {
  return { loss: logSumExp(row) - row[target]!, predicted: mostLikely(row) }
}

/** Accuracy and mean cross-entropy in nats; of equal logits the first counts as predicted. */
export function measureLogits({ logits, labels, classes }: LabelledLogits) {
  let right = 0
  let loss = 0
  const rows = rowsOf(logits, classes)
  for (const [index, row] of rows.entries()) {
    const label = labels[index]!
    const score = targetScore(row, label)
    right += Number(score.predicted === label)
    loss += score.loss
  }
  return { accuracy: right / rows.length, loss: loss / rows.length, records: rows.length }
}

/** How often the most frequent value occurs, as a share of all: what always predicting it would reach. */
export function largestShare(values: ArrayLike<number>): number {
  const counts = new Map<number, number>()
  for (const value of Array.from(values)) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts.values()].reduce((largest, count) => Math.max(largest, count), 0) / values.length
}

/** The rows of [records, classes], not copied. */
export function rowsOf(logits: Float32Array, classes: number): Float32Array[] {
  return Array.from({ length: logits.length / classes }, (_, row) =>
    logits.subarray(row * classes, (row + 1) * classes),
  )
}
