/** The predictions whose confidence lies in one part of [0, 1]. Counts may carry noise: below zero they are none. */
export interface CalibrationBin {
  readonly count: number
  /** How many of them were right. */
  readonly right: number
  /** Of the probabilities that they gave to what they predicted. */
  readonly confidenceSum: number
}

/**
 * Sorts predictions into `bins` parts of equal width by their confidence, the probability of what was predicted; each
 * part is open below and closed above, and 0 belongs to the first.
 */
export function calibrationBins(
  predictions: Iterable<{ readonly confidence: number; readonly isRight: boolean }>,
  bins: number,
): CalibrationBin[] {
  const found = Array.from({ length: bins }, () => ({ count: 0, right: 0, confidenceSum: 0 }))
  for (const { confidence, isRight } of predictions) {
    const bin = found[Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1))]!
    bin.count += 1
    bin.right += Number(isRight)
    bin.confidenceSum += confidence
  }
  return found
}

/**
 * The expected calibration error (Guo et al. 2017, arXiv 1706.04599, equation 3): how far confidence is from accuracy,
 * averaged over the bins by their counts. 0 without predictions.
 */
export function expectedCalibrationError(bins: readonly CalibrationBin[]): number {
  const filled = bins.filter(({ count }) => count > 0)
  const total = filled.reduce((sum, { count }) => sum + count, 0)
  if (total === 0) return 0
  const clamp = (value: number, most: number) => Math.min(most, Math.max(0, value))
  const gaps = filled.map(({ count, right, confidenceSum }) =>
    Math.abs(clamp(right, count) - clamp(confidenceSum, count)),
  )
  return gaps.reduce((sum, gap) => sum + gap, 0) / total
}
