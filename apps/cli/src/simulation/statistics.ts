/** A mean of several values, and how sure it is. */
export interface Estimate {
  readonly mean: number
  /** Standard error; absent for a single value. */
  readonly standardError?: number
  readonly count: number
}

export function estimate(values: readonly number[]): Estimate {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  if (count < 2) return { mean, count }
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  return { mean, standardError: Math.sqrt(variance / count), count }
}

/** The difference of two settings that were run under the same seeds. */
export interface PairedDifference extends Estimate {
  /** Bounds of the interval that covers the true difference with a probability of 95 %; absent for a single pair. */
  readonly interval?: readonly [low: number, high: number]
}

/** `left` less `right`, pair by pair: what the seeds have in common drops out. */
export function pairedDifference(left: readonly number[], right: readonly number[]): PairedDifference {
  const found = estimate(left.map((value, index) => value - right[index]!))
  if (found.standardError === undefined) return found
  const reach = tQuantile(0.975, found.count - 1) * found.standardError
  return { ...found, interval: [found.mean - reach, found.mean + reach] }
}

/**
 * P(|T| <= t) of Student's t distribution with a whole number of degrees of freedom: the finite sums of Abramowitz and
 * Stegun, 26.7.3 and 26.7.4.
 */
export function tWithin(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees))
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)]
  const isOdd = degrees % 2 === 1
  let term = isOdd ? cosine : 1
  let sum = degrees === 1 ? 0 : term
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= ((power - 1) / power) * cosine ** 2
    sum += term
  }
  return isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum
}

/** The t below which T lies with a probability from 0.5 to 1. */
export function tQuantile(probability: number, degrees: number): number {
  let [low, high] = [0, 1]
  while ((1 + tWithin(high, degrees)) / 2 < probability) high *= 2
  for (let step = 0; step < 200 && high - low > 1e-12 * high; step += 1) {
    const middle = (low + high) / 2
    if ((1 + tWithin(middle, degrees)) / 2 < probability) low = middle
    else high = middle
  }
  return (low + high) / 2
}
