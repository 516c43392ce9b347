import type { TargetedRecord, TargetScores } from '@fedsvd/engine/training'
import type { Baseline, Evaluation } from '../store/index.ts'

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

/**
 * Accuracy and mean cross-entropy in nats over the targets of all records together, each counting the same: the perplexity
 * of a language model is exp(loss).
 */
export function measureTokens(scores: readonly TargetScores[], records: readonly TargetedRecord[]): Evaluation {
  let [right, loss, count] = [0, 0, 0]
  for (const [index, record] of records.entries()) {
    const { losses, predicted } = scores[index]!
    for (const [at, target] of targetsOf(record).entries()) {
      right += Number(predicted[at] === target)
      loss += losses[at]!
      count += 1
    }
  }
  return { accuracy: right / count, loss: loss / count, records: records.length }
}

function targetsOf({ targets }: TargetedRecord): readonly number[] {
  return Array.from(targets).filter((target) => target >= 0)
}

function largestShare(values: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts.values()].reduce((largest, count) => Math.max(largest, count), 0) / values.length
}
