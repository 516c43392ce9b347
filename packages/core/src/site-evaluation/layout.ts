/**
 * The vector that one unit contributes to an evaluation, in integers. Each unit has weight 1, whatever the number of
 * its records or targets: their vectors are averaged, and cut to whole numbers below.
 *
 * Outcome, calibration and loss share one bound: 768^2 + 256^2 + 192^2 = 832^2. So a unit's vector has a norm of at
 * most {@link BOUND}, an outcome is counted with 8 % more noise than it would have alone, and the rest costs no event
 * of its own.
 */

/** Of one unit whose predictions all have the same outcome. */
const OUTCOME = 768
const CALIBRATION = 256
const LOSS = 192
/** The L2 norm that no unit exceeds. */
export const BOUND = 832

const BINS = 10
/** With more classes the cells of a confusion matrix would have more noise than records. */
const MOST_CONFUSION_CLASSES = 10
/** Where tokens are predicted: e^10 equally likely ones. */
const LOSS_CAP_OF_TOKENS = 10

/** What a run counts. */
export interface EvaluationLayout {
  /** Classes; 1 where tokens are predicted. */
  readonly rows: number
  /** What was predicted: each class, or only whether it was right (0) or not (1). */
  readonly columns: number
  readonly isConfusion: boolean
  /** Of confidence, each with a cell for wrong and one for right predictions. None where tokens are predicted. */
  readonly bins: number
  /** The loss of a target counts up to here, in nats: twice that of guessing. */
  readonly lossCap: number
  readonly cells: number
}

/** One target and what the model said of it. */
export interface Prediction {
  readonly target: number
  readonly predicted: number
  /** The probability of what was predicted; absent where tokens are predicted. */
  readonly confidence?: number
  /** Cross-entropy in nats. */
  readonly loss: number
}

/** @param run `labels` of a run whose records have one label each; none where targets are tokens or tags */
export function evaluationLayout({
  task,
  labels,
}: {
  readonly task: string
  readonly labels: readonly string[]
}): EvaluationLayout {
  const isClassifier = task === 'sequence-classification'
  const rows = isClassifier ? labels.length : 1
  const isConfusion = isClassifier && rows <= MOST_CONFUSION_CLASSES
  const columns = isConfusion ? rows : 2
  const bins = isClassifier ? BINS : 0
  const lossCap = isClassifier ? 2 * Math.log(rows) : LOSS_CAP_OF_TOKENS
  return { rows, columns, isConfusion, bins, lossCap, cells: rows * columns + 2 * bins + 1 }
}

/** The vector of one unit, from the predictions for all targets of its records; zeros where there is none. */
export function vectorOfUnit(layout: EvaluationLayout, predictions: readonly Prediction[]): Float64Array {
  const { rows, columns, isConfusion, bins, lossCap, cells } = layout
  const vector = new Float64Array(cells)
  if (predictions.length === 0) return vector
  for (const { target, predicted, confidence = 0, loss } of predictions) {
    const isRight = predicted === target
    const row = rows === 1 ? 0 : target
    vector[row * columns + (isConfusion ? predicted : Number(!isRight))]! += OUTCOME
    if (bins > 0) {
      const bin = Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1))
      vector[rows * columns + 2 * bin + Number(isRight)]! += CALIBRATION
    }
    vector[cells - 1]! += LOSS * Math.min(1, Math.max(0, loss / lossCap))
  }
  return vector.map((value) => Math.floor(value / predictions.length))
}

/** A sum of units' vectors, with noise or without, as numbers of units. */
export interface EvaluationCounts {
  /** By class and outcome, row-major. */
  readonly outcomes: readonly number[]
  /** By bin: wrong, right. */
  readonly calibration: readonly number[]
  /** The sum of losses, each clipped, in nats. */
  readonly loss: number
}

export function countsOf({ rows, columns, lossCap }: EvaluationLayout, sum: ArrayLike<number>): EvaluationCounts {
  const values = Array.from(sum)
  return {
    outcomes: values.slice(0, rows * columns).map((value) => value / OUTCOME),
    calibration: values.slice(rows * columns, -1).map((value) => value / CALIBRATION),
    loss: (values.at(-1)! / LOSS) * lossCap,
  }
}

/** The variance of the noise in one outcome's count of units. */
export function outcomeVariance(noiseMultiplier: number): number {
  return (noiseMultiplier * BOUND) ** 2 / OUTCOME ** 2
}
