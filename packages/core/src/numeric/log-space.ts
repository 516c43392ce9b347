/** log(e^a + e^b) without overflow; -Infinity stands for zero. */
export function logAddExp(a: number, b: number): number {
  const high = Math.max(a, b)
  if (high === Number.NEGATIVE_INFINITY || high === Number.POSITIVE_INFINITY) return high
  return high + Math.log1p(Math.exp(Math.min(a, b) - high))
}

/** log(e^a - e^b) for a >= b, accurate also when the two are close; -Infinity when they are equal. */
export function logSubExp(a: number, b: number): number {
  if (b === Number.NEGATIVE_INFINITY) return a
  const gap = b - a
  return gap >= 0 ? Number.NEGATIVE_INFINITY : a + Math.log(-Math.expm1(gap))
}

/**
 * A running log(sum of e^v) that never overflows: it keeps the sum relative to the largest term seen.
 * Relative error of the sum: at most the number of terms times 2^-53.
 */
export class LogSum {
  #peak = Number.NEGATIVE_INFINITY
  #sum = 0

  add(logTerm: number): void {
    if (logTerm <= this.#peak) {
      if (logTerm !== Number.NEGATIVE_INFINITY) this.#sum += Math.exp(logTerm - this.#peak)
      return
    }
    this.#sum = this.#sum * Math.exp(this.#peak - logTerm) + 1
    this.#peak = logTerm
  }

  value(): number {
    return this.#sum === 0 ? Number.NEGATIVE_INFINITY : this.#peak + Math.log(this.#sum)
  }
}

/** log(sum of e^v); -Infinity for an empty list. */
export function logSumExp(values: Iterable<number>): number {
  const sum = new LogSum()
  for (const value of values) sum.add(value)
  return sum.value()
}
