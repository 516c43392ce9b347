const WIDTH = 1e-6
const LARGEST = 64

/**
 * The largest epsilon that a test rejects, to 1e-6 and never above it: 0 when it rejects none. Searching stops at 64.
 *
 * @param rejects whether an epsilon is rejected; true below some epsilon and false above it
 */
export function largestRejected(rejects: (epsilon: number) => boolean): number {
  if (!rejects(0)) return 0
  let low = 0
  let high = 1
  while (rejects(high)) {
    low = high
    if (high >= LARGEST) return low
    high *= 2
  }
  while (high - low > WIDTH) {
    const middle = low + (high - low) / 2
    if (rejects(middle)) low = middle
    else high = middle
  }
  return low
}
