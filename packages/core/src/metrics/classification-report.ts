import { type CalibrationBin, calibrationBins, expectedCalibrationError } from './calibration.ts'
import { type Confusion, type ConfusionFigures, confusionFigures, confusionOf } from './confusion.ts'
import { type LabelledLogits, measureLogits, mostLikely, probabilitiesOf, rowsOf } from './logits.ts'

/** Everything that is reported about a classifier on labelled records. */
export interface ClassificationReport extends ConfusionFigures {
  readonly confusion: Confusion
  /** Mean cross-entropy in nats. */
  readonly loss: number
  readonly calibration: {
    /** In [0, 1]. */
    readonly expectedCalibrationError: number
    /** Of equal width, from the least confident to the most. */
    readonly bins: readonly CalibrationBin[]
  }
}

/** As many as Guo et al. (2017) and most after them have. */
export const CALIBRATION_BINS = 15

/** Holds the logits of a classifier against the labels of the records. */
export function classificationReport(given: LabelledLogits, bins = CALIBRATION_BINS): ClassificationReport {
  const { logits, labels, classes } = given
  const probabilities = probabilitiesOf(logits, classes)
  const predicted = rowsOf(logits, classes).map(mostLikely)
  const confusion = confusionOf(labels, predicted, classes)
  const filled = calibrationBins(
    probabilities.map((row, index) => ({
      confidence: row[predicted[index]!]!,
      isRight: predicted[index] === labels[index],
    })),
    bins,
  )
  return {
    ...confusionFigures(confusion),
    confusion,
    loss: measureLogits(given).loss,
    calibration: { expectedCalibrationError: expectedCalibrationError(filled), bins: filled },
  }
}
