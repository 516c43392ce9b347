export { type CalibrationBin, calibrationBins, expectedCalibrationError } from './calibration.ts'
export { CALIBRATION_BINS, type ClassificationReport, classificationReport } from './classification-report.ts'
export {
  type ClassFigures,
  type Confusion,
  type ConfusionFigures,
  confusionFigures,
  confusionOf,
} from './confusion.ts'
export {
  type LabelledLogits,
  largestShare,
  measureLogits,
  mostLikely,
  probabilitiesOf,
  rowsOf,
  targetScore,
} from './logits.ts'
export { measureTargets, type TargetMeasure, type TargetMeasurement, targetsOf } from './targets.ts'
export { type Interval, wilsonInterval } from './wilson-interval.ts'
