/** The tag of words that are part of nothing, as data sets of tags write it. */
const OUTSIDE = 'O'

/** One record: the targets of its tokens, negative where there is none, and what was said at those that there are. */
export interface TargetMeasurement {
  readonly targets: ArrayLike<number>
  /** Cross-entropy in nats at each target. */
  readonly losses: ArrayLike<number>
  /** The most likely tag or token at each target. */
  readonly predicted: ArrayLike<number>
}

export interface TargetMeasure {
  readonly accuracy: number
  /** Mean cross-entropy in nats; the perplexity of a language model is exp(loss). */
  readonly loss: number
  readonly records: number
  readonly microF1?: number
}

/**
 * Accuracy and mean cross-entropy over the targets of all records together, each counting the same.
 *
 * With `tags`, the labels of a task that has "O" among them, also the micro-averaged F1 over the other labels: 2 TP /
 * (2 TP + FP + FN). A tag that is predicted where another one is right is a false positive of the first and a false
 * negative of the second. Absent where no target has and no prediction is such a label.
 */
export function measureTargets(records: readonly TargetMeasurement[], tags: readonly string[] = []): TargetMeasure {
  const outside = tags.indexOf(OUTSIDE)
  let [right, loss, count, rightInside, inside] = [0, 0, 0, 0, 0]
  for (const { targets, losses, predicted } of records) {
    for (const [at, target] of targetsOf(targets).entries()) {
      const isRight = predicted[at] === target
      right += Number(isRight)
      loss += losses[at]!
      count += 1
      rightInside += Number(isRight && target !== outside)
      inside += Number(target !== outside) + Number(predicted[at] !== outside)
    }
  }
  const microF1 = outside >= 0 && inside > 0 ? (2 * rightInside) / inside : undefined
  return {
    accuracy: right / count,
    loss: loss / count,
    records: records.length,
    ...(microF1 !== undefined && { microF1 }),
  }
}

/** The targets that there are. */
export function targetsOf(targets: ArrayLike<number>): readonly number[] {
  return Array.from(targets).filter((target) => target >= 0)
}
