import { expectedCalibrationError, type Interval } from '../metrics/index.ts'
import { countsOf, type EvaluationLayout, outcomeVariance } from './layout.ts'

/** Figures of noised counts. All of them are post-processing. */
export interface EvaluationFigures {
  /** Of units that were counted: an estimate, 0 where noise made it less. */
  readonly units: number
  /** Right answers over answers; units weigh the same. 0 without units. */
  readonly accuracy: number
  /** Of the accuracy, at 95 %: what chance has in it that these units were set aside, and the noise. */
  readonly interval: Interval
  /** Mean cross-entropy in nats, each clipped at twice that of guessing. */
  readonly loss: number
  /** The share of the most frequent class: what always predicting it would reach. Absent where tokens are predicted. */
  readonly majority?: number
  /** By class: units, and those that were answered right. Absent where tokens are predicted. */
  readonly classes?: readonly { readonly units: number; readonly right: number }[]
  /** `confusion[target][predicted]`, with its noise; for up to ten classes. */
  readonly confusion?: readonly (readonly number[])[]
  /** In [0, 1]; confidences are taken for the middle of their bin. Absent where tokens are predicted. */
  readonly calibrationError?: number
}

const Z_95 = 1.959963984540054

/**
 * What the noised sums of some sites say together.
 *
 * With R right answers of N, both sums of cells with noise of variance v each, R - p N has the noise variance v ((1 -
 * p)^2 r + p^2 w) for r cells of right and w of wrong answers, for every site; beside it stands the binomial variance N
 * p (1 - p).
 *
 * @param sums of each site, in the integers that were added up
 * @throws RangeError without sites
 */
export function evaluationFigures(
  layout: EvaluationLayout,
  sums: readonly ArrayLike<number>[],
  noiseMultiplier: number,
): EvaluationFigures {
  const first = sums[0]
  if (first === undefined) throw new RangeError('expected the counts of one site at least')
  const total = Array.from(first, (_, cell) => sums.reduce((sum, one) => sum + one[cell]!, 0))
  const { outcomes, calibration, loss } = countsOf(layout, total)
  const { rows, columns, isConfusion, bins } = layout
  const confusion = Array.from({ length: rows }, (_, row) => outcomes.slice(row * columns, (row + 1) * columns))
  const rightOf = (row: number): number => confusion[row]![isConfusion ? row : 0]!
  const unitsOf = (row: number): number => confusion[row]!.reduce((sum, value) => sum + value, 0)
  const all = confusion.map((_, row) => row)
  const units = Math.max(0, sumOf(all.map(unitsOf)))
  const accuracy = units === 0 ? 0 : within01(sumOf(all.map(rightOf)) / units)
  const variance = outcomeVariance(noiseMultiplier) * sums.length
  const figures = {
    units,
    accuracy,
    interval: intervalOf({ units, accuracy, variance, rightCells: rows, wrongCells: rows * (columns - 1) }),
    loss: units === 0 ? 0 : Math.max(0, loss / units),
  }
  if (bins === 0) return figures
  const classes = all.map((row) => ({ units: Math.max(0, unitsOf(row)), right: Math.max(0, rightOf(row)) }))
  const binned = Array.from({ length: bins }, (_, bin) => {
    const [wrong, right] = [calibration[2 * bin]!, calibration[2 * bin + 1]!]
    return { count: wrong + right, right, confidenceSum: ((bin + 0.5) / bins) * (wrong + right) }
  })
  const counted = sumOf(classes.map((one) => one.units))
  return {
    ...figures,
    majority: counted === 0 ? 0 : Math.max(...classes.map((one) => one.units)) / counted,
    classes,
    ...(isConfusion && { confusion }),
    calibrationError: expectedCalibrationError(binned),
  }
}

interface IntervalQuestion {
  readonly units: number
  readonly accuracy: number
  readonly variance: number
  readonly rightCells: number
  readonly wrongCells: number
}

function intervalOf({ units, accuracy: p, variance, rightCells, wrongCells }: IntervalQuestion): Interval {
  if (units < 1) return { low: 0, high: 1 }
  // never less than one answer could move it: where all are right, the binomial variance alone would be none
  const spread = Math.max(p * (1 - p), 1 / (units + 1))
  const noise = variance * ((1 - p) ** 2 * rightCells + p ** 2 * wrongCells)
  const half = Z_95 * Math.sqrt(spread / units + noise / units ** 2)
  return { low: within01(p - half), high: within01(p + half) }
}

const within01 = (value: number): number => Math.min(1, Math.max(0, value))
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
