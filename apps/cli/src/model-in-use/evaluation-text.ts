import type { LabelEvaluation, ModelEvaluation } from '@fedsvd/engine/inference'
import { table } from '../output.ts'

/** Labels whose confusion fits a terminal; `--json` has all. */
const LABELS_SHOWN = 12

/** An evaluation for people, line by line. */
export function evaluationText(name: string, evaluation: ModelEvaluation): string[] {
  const share = (value: number): string => value.toFixed(4)
  if ('perplexity' in evaluation) {
    const { texts, tokens, accuracy, loss, perplexity, majority } = evaluation
    return [
      `model        ${name}`,
      `texts        ${texts} (${tokens} predicted tokens)`,
      `perplexity   ${perplexity.toFixed(3)} (cross-entropy ${loss.toFixed(4)} nats a token)`,
      `accuracy     ${share(accuracy)} of the tokens`,
      `baseline     ${share(majority)} by always predicting the most frequent token`,
    ]
  }
  const { accuracy, accuracyInterval, majority, macroF1, microF1, loss, counts, records, texts } = evaluation
  const { low, high } = accuracyInterval
  const interval = counts === 'texts' ? ` (95 %: ${share(low)} to ${share(high)})` : ''
  return [
    `model        ${name}`,
    `texts        ${texts}${counts === 'words' ? ` (${records} words)` : ''}`,
    `accuracy     ${share(accuracy)}${interval}`,
    `baseline     ${share(majority)} by always predicting the most frequent label`,
    ...(macroF1 === undefined ? [] : [`macro-F1     ${share(macroF1)}`]),
    ...(microF1 === undefined ? [] : [`micro-F1     ${share(microF1)} over all tags but O`]),
    `loss         ${loss.toFixed(4)} nats`,
    `calibration  expected error ${share(evaluation.calibration.expectedCalibrationError)}`,
    '',
    byLabel(evaluation),
    '',
    confusionText(evaluation),
    '',
    reliability(evaluation),
  ]
}

function byLabel({ labels, classes, counts }: LabelEvaluation): string {
  const figure = (value: number | undefined): string => value?.toFixed(4) ?? ''
  const rows = classes.map(({ precision, recall, f1, support }, index) => {
    return [labels[index]!, figure(precision), figure(recall), figure(f1), support]
  })
  return table([['label', 'precision', 'recall', 'F1', counts], ...rows])
}

function confusionText({ labels, confusion }: LabelEvaluation): string {
  if (labels.length > LABELS_SHOWN) return `confusion of ${labels.length} labels: see --json`
  const rows = confusion.map((row, index) => [labels[index]!, ...row])
  return table([['true \\ predicted', ...labels], ...rows])
}

/** How often the model was right, where it was so sure. */
function reliability({ calibration: { bins } }: LabelEvaluation): string {
  const rows = bins.flatMap(({ count, right, confidenceSum }, index) => {
    if (count === 0) return []
    const range = `${(index / bins.length).toFixed(2)} to ${((index + 1) / bins.length).toFixed(2)}`
    return [[range, count, (confidenceSum / count).toFixed(4), (right / count).toFixed(4)]]
  })
  return table([['confidence', 'count', 'mean', 'accuracy'], ...rows])
}
