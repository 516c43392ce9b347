import { mostLikely } from '@fedsvd/core/metrics'
import { logSumExp } from '@fedsvd/core/numeric'
import type { SparseVector } from './tf-idf.ts'

export interface LogisticExample {
  readonly vector: SparseVector
  readonly label: number
}

export interface LogisticTerms {
  readonly classes: number
  /** How many entries a vector can have. */
  readonly size: number
  /** Weight of the squared norm of the weights beside the mean cross-entropy; the bias is not held back. */
  readonly penalty: number
}

export interface LogisticModel {
  /** Row-major [classes, size + 1]: the bias of a class is its last entry. */
  readonly weights: Float64Array
  predict(vector: SparseVector): number
}

/** Entries of the gradient, relative to that of zero weights, below which the minimum is reached. */
const TOLERANCE = 1e-4
const MOST_ITERATIONS = 2000

/**
 * Multinomial logistic regression on vectors of length 1, to the minimum of mean cross-entropy + penalty / 2 x squared
 * norm, by accelerated gradients (Nesterov 1983) that begin anew where they point uphill.
 */
export function fitLogistic(examples: readonly LogisticExample[], terms: LogisticTerms): LogisticModel {
  const { classes, size, penalty } = terms
  // Cross-entropy of a vector x has curvature of at most |x|^2 / 2, and x with its bias has |x|^2 <= 2.
  const step = 1 / (1 + penalty)
  let weights = new Float64Array(classes * (size + 1))
  let ahead = weights
  let momentum = 1
  let first: number | undefined
  for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
    const gradient = gradientAt(ahead, examples, terms)
    const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    first ??= largest
    const next = ahead.map((value, at) => value - step * gradient[at]!)
    if (largest <= TOLERANCE * first) return modelOf(next, terms)
    const uphill = gradient.reduce((sum, value, at) => sum + value * (next[at]! - weights[at]!), 0) > 0
    const later = uphill ? 1 : (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2
    const beyond = uphill ? 0 : (momentum - 1) / later
    ahead = next.map((value, at) => value + beyond * (value - weights[at]!))
    ;[weights, momentum] = [next, later]
  }
  return modelOf(weights, terms)
}

/** The gradient of what {@link fitLogistic} minimises. */
export function gradientAt(
  weights: Float64Array,
  examples: readonly LogisticExample[],
  { classes, size, penalty }: LogisticTerms,
): Float64Array {
  const width = size + 1
  const gradient = weights.map((value, at) => (at % width === size ? 0 : penalty * value))
  const scores = new Float64Array(classes)
  for (const { vector, label } of examples) {
    scoreInto(scores, weights, vector, size)
    const total = logSumExp(scores)
    for (let c = 0; c < classes; c++) {
      const slope = (Math.exp(scores[c]! - total) - Number(c === label)) / examples.length
      const { indices, values } = vector
      for (let k = 0; k < indices.length; k++) gradient[c * width + indices[k]!]! += slope * values[k]!
      gradient[c * width + size]! += slope
    }
  }
  return gradient
}

function scoreInto(scores: Float64Array, weights: Float64Array, { indices, values }: SparseVector, size: number): void {
  for (let c = 0; c < scores.length; c++) {
    const start = c * (size + 1)
    let score = weights[start + size]!
    for (let k = 0; k < indices.length; k++) score += weights[start + indices[k]!]! * values[k]!
    scores[c] = score
  }
}

function modelOf(weights: Float64Array, { classes, size }: LogisticTerms): LogisticModel {
  const scores = new Float64Array(classes)
  return {
    weights,
    predict(vector) {
      scoreInto(scores, weights, vector, size)
      return mostLikely(scores)
    },
  }
}
