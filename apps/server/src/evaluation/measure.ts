import type { TargetedRecord, TargetScores } from '@fedsvd/engine/training'
import type { Baseline, Evaluation } from '../storage/records/index.ts'

/** What guessing the most frequent class would reach. */
export function baselineOf(records: readonly { readonly label: number }[]): Baseline {
  return { majority: largestShare(records.map(({ label }) => label)), records: records.length }
}

/** What guessing the most frequent tag or token at every target would reach. */
export function tokenBaselineOf(records: readonly TargetedRecord[]): Baseline {
  return { majority: largestShare(records.flatMap(targetsOf)), records: records.length }
}

/** Accuracy and mean cross-entropy in nats of row-major logits [records, classes]; a tie goes to the lower class. */
export function measure(
  logits: Float32Array,
  records: readonly { readonly label: number }[],
  classes: number,
): Evaluation {
  let right = 0
  let loss = 0
  for (const [index, { label }] of records.entries()) {
    const row = logits.subarray(index * classes, (index + 1) * classes)
    const largest = row.reduce((left, value) => Math.max(left, value), Number.NEGATIVE_INFINITY)
    if (row.indexOf(largest) === label) right += 1
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0)
    loss += Math.log(sum) + largest - row[label]!
  }
  return { accuracy: right / records.length, loss: loss / records.length, records: records.length }
}

/** The tag of words that are part of nothing, as data sets of tags write it. */
const OUTSIDE = 'O'

/**
 * Accuracy and mean cross-entropy in nats over the targets of all records together, each counting the same: the
 * perplexity of a language model is exp(loss).
 *
 * With `tags`, the labels of a task that has "O" among them, also the micro-averaged F1 over the other labels:
 * 2 TP / (2 TP + FP + FN). A tag that is predicted where another one is right is a false positive of the first and a
 * false negative of the second. Absent where no target has and no prediction is such a label.
 */
export function measureTokens(
  scores: readonly TargetScores[],
  records: readonly TargetedRecord[],
  tags: readonly string[] = [],
): Evaluation {
  const outside = tags.indexOf(OUTSIDE)
  let [right, loss, count, rightInside, inside] = [0, 0, 0, 0, 0]
  for (const [index, record] of records.entries()) {
    const { losses, predicted } = scores[index]!
    for (const [at, target] of targetsOf(record).entries()) {
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

function targetsOf({ targets }: TargetedRecord): readonly number[] {
  return Array.from(targets).filter((target) => target >= 0)
}

function largestShare(values: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts.values()].reduce((largest, count) => Math.max(largest, count), 0) / values.length
}
