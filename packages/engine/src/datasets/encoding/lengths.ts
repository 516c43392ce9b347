/** How long the records of a data set are: exact at the ends, to three digits in between. */
export interface LengthSummary {
  readonly shortest: number
  readonly median: number
  readonly p90: number
  readonly p99: number
  readonly longest: number
}

/**
 * Counts lengths in bounded memory: one counter for each length of at most three digits, and for each of the longer
 * ones that differ in their first three, 900 to a decade.
 */
export class LengthCounts {
  readonly #counts = new Map<number, number>()
  #total = 0
  #shortest = Number.POSITIVE_INFINITY
  #longest = 0

  add(length: number): void {
    const unit = length < 1000 ? 1 : 10 ** (Math.floor(Math.log10(length)) - 2)
    const rounded = Math.floor(length / unit) * unit
    this.#counts.set(rounded, (this.#counts.get(rounded) ?? 0) + 1)
    this.#total += 1
    this.#shortest = Math.min(this.#shortest, length)
    this.#longest = Math.max(this.#longest, length)
  }

  /** Undefined when nothing was counted. */
  summary(): LengthSummary | undefined {
    if (this.#total === 0) return undefined
    const ascending = [...this.#counts].sort(([a], [b]) => a - b)
    const quantile = (share: number): number => {
      let left = share * this.#total
      return ascending.find(([, count]) => {
        left -= count
        return left <= 0
      })![0]
    }
    return {
      shortest: this.#shortest,
      median: quantile(0.5),
      p90: quantile(0.9),
      p99: quantile(0.99),
      longest: this.#longest,
    }
  }
}
