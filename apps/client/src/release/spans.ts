/**
 * Spans of time of which a busy process hears late: how long they are together until a moment, also until one that has
 * passed meanwhile. So what is counted by them does not tell when it was counted.
 */
export class Spans {
  /** In their order, without overlaps; the last may still be open. In milliseconds of one clock. */
  #spans: { readonly since: number; readonly until: number }[] = []
  /** The length of those that are too long ago to be asked about one by one. */
  #earlierMs = 0

  /** Begins a span, or goes on with those that were not over by then. */
  begin(at: number): void {
    let since = at
    for (let last = this.#spans.at(-1); last !== undefined && at <= last.until; last = this.#spans.at(-1)) {
      since = Math.min(since, last.since)
      this.#spans.pop()
    }
    this.#spans.push({ since, until: Number.POSITIVE_INFINITY })
    const old = this.#spans.length > MOST_SPANS ? this.#spans.shift() : undefined
    if (old !== undefined) this.#earlierMs += old.until - old.since
  }

  /** Ends the span that is open, if one is; the moment may be still to come. */
  end(at: number): void {
    const last = this.#spans.at(-1)
    if (last?.until !== Number.POSITIVE_INFINITY) return
    this.#spans[this.#spans.length - 1] = { since: last.since, until: Math.max(at, last.since) }
  }

  /** How much of the spans lies before a moment, in milliseconds. */
  before(at: number): number {
    const lengths = this.#spans.map(({ since, until }) => Math.max(0, Math.min(at, until) - since))
    return lengths.reduce((sum, length) => sum + length, this.#earlierMs)
  }
}

/** Those of the last seconds at least, however fast a coordinator asks. */
const MOST_SPANS = 4096
