/** Goodness-of-fit tests for the statistical tests of core. Not part of any package's exports. */

/**
 * How far counts are from probabilities, as a standard normal score: Pearson's chi-square through the cube-root
 * approximation of Wilson and Hilferty (1931). Cells that expect fewer than 10 are pooled with their neighbours.
 *
 * Near 0 for the right probabilities; far above 0 for wrong ones; far below 0 when the fit is too good to be random.
 */
export function chiSquareScore(counts: readonly number[], probabilities: readonly number[]): number {
  const samples = counts.reduce((sum, count) => sum + count, 0)
  const mass = probabilities.reduce((sum, p) => sum + p, 0)
  if (counts.length !== probabilities.length || Math.abs(mass - 1) > 1e-6) {
    throw new Error(`the cells must cover everything: ${counts.length} counts, probabilities that add up to ${mass}`)
  }
  const cells: { seen: number; expected: number }[] = []
  let open = { seen: 0, expected: 0 }
  probabilities.forEach((p, i) => {
    open = { seen: open.seen + counts[i]!, expected: open.expected + p * samples }
    if (open.expected >= 10) {
      cells.push(open)
      open = { seen: 0, expected: 0 }
    }
  })
  const last = cells.at(-1)!
  last.seen += open.seen
  last.expected += open.expected
  const chiSquare = cells.reduce((sum, { seen, expected }) => sum + (seen - expected) ** 2 / expected, 0)
  const freedom = cells.length - 1
  const spread = 2 / (9 * freedom)
  return (Math.cbrt(chiSquare / freedom) - (1 - spread)) / Math.sqrt(spread)
}

/** Counts of |x| <= reach of integer samples, with one cell for everything beyond on either side. */
export function countIntegers(samples: Float64Array, reach: number): number[] {
  const counts = Array.from({ length: 2 * reach + 3 }, () => 0)
  for (const x of samples) counts[Math.max(-reach - 1, Math.min(reach + 1, x)) + reach + 1]!++
  return counts
}

/** The cells of {@link countIntegers} under the discrete Gaussian, from its definition. */
export function discreteGaussianCells(sigma: number, reach: number): number[] {
  const far = Math.ceil(40 * sigma) + reach
  const rho = (x: number) => Math.exp((-x * x) / (2 * sigma * sigma))
  const cells = Array.from({ length: 2 * reach + 3 }, (_, i) => rho(i - reach - 1))
  let beyond = 0
  for (let x = far; x > reach; x--) beyond += rho(x)
  cells[0] = beyond
  cells[cells.length - 1] = beyond
  const total = cells.reduce((sum, value) => sum + value, 0)
  return cells.map((value) => value / total)
}

const EDGES = 16 // cells of sigma / 4 from -4 sigma to 4 sigma, and the two tails

/** Counts of real samples in cells of scale / 4, the outermost open. */
export function countQuarters(samples: Iterable<number>, scale: number): number[] {
  const counts = Array.from({ length: 2 * EDGES + 2 }, () => 0)
  for (const x of samples) {
    const cell = Math.floor((4 * x) / scale)
    counts[Math.max(-EDGES - 1, Math.min(EDGES, cell)) + EDGES + 1]!++
  }
  return counts
}

/**
 * The cells of {@link countQuarters} under a continuous Gaussian of standard deviation `sigma`, by Simpson's rule. Cell
 * edges fall between integers of a discrete Gaussian only up to half a unit, so use it where scale is in the thousands.
 */
export function gaussianQuarters(sigma: number, scale: number): number[] {
  const integral = (from: number, to: number) => {
    const steps = 200
    const h = (to - from) / steps
    let sum = 0
    for (let i = 0; i <= steps; i++) {
      const x = from + i * h
      const factor = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2
      sum += factor * Math.exp((-x * x) / (2 * sigma * sigma))
    }
    return (sum * h) / 3 / (sigma * Math.sqrt(2 * Math.PI))
  }
  const inner = Array.from({ length: 2 * EDGES }, (_, i) =>
    integral(((i - EDGES) * scale) / 4, ((i - EDGES + 1) * scale) / 4),
  )
  const tail = (1 - inner.reduce((sum, p) => sum + p, 0)) / 2
  return [tail, ...inner, tail]
}

/** Scores beyond this in either direction have a chance below 1e-8 when the probabilities are right. */
export const IMPLAUSIBLE = 5.7

/** The correlation coefficient of two samples, times sqrt(n): standard normal when they are independent. */
export function correlationScore(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = Math.min(a.length, b.length)
  let meanA = 0
  let meanB = 0
  for (let i = 0; i < n; i++) {
    meanA += a[i]! / n
    meanB += b[i]! / n
  }
  let ab = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < n; i++) {
    const x = a[i]! - meanA
    const y = b[i]! - meanB
    ab += x * y
    aa += x * x
    bb += y * y
  }
  return (ab / Math.sqrt(aa * bb)) * Math.sqrt(n)
}
