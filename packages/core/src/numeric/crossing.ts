/** Two points on either side of a sign change, with the values of the function there. */
export interface Bracket {
  readonly low: number
  readonly high: number
  readonly atLow: number
  readonly atHigh: number
}

/**
 * Searches a bracket of a decreasing function for a point that `accept` takes: false position in its Illinois form,
 * with a bisection whenever it stalls, so that the bracket shrinks for every continuous function.
 *
 * @param low a point where `f` is above zero
 * @param high a point where `f` is at or below zero
 * @returns the accepted point; when the bracket shrinks to nothing without one (a jump in `f`), its upper end, where
 *   `f` is at or below zero
 */
export function findCrossing(f: (x: number) => number, bracket: Bracket, accept: (value: number) => boolean): number {
  let { low, high, atLow: weightLow, atHigh: weightHigh } = bracket
  let lastSide = 0
  for (let round = 0; round < 200; round++) {
    const slanted = (low * weightHigh - high * weightLow) / (weightHigh - weightLow)
    const bisect = round % 4 === 3 || !(slanted > low && slanted < high)
    const x = bisect ? low + (high - low) / 2 : slanted
    if (!(x > low && x < high)) return high
    const value = f(x)
    if (accept(value)) return x
    const side = value > 0 ? -1 : 1
    if (side < 0) {
      low = x
      weightLow = value
      if (lastSide === side) weightHigh /= 2
    } else {
      high = x
      weightHigh = value
      if (lastSide === side) weightLow /= 2
    }
    lastSide = side
  }
  return high
}

/**
 * The largest integer in [low, high) at which a non-decreasing function is at most zero, by interpolation kept safe
 * with bisection.
 *
 * @param low an integer where `f` is at most zero
 * @param high an integer where `f` is above zero
 */
export function lastNotAbove(f: (n: number) => number, bracket: Bracket): number {
  let { low, high, atLow, atHigh } = bracket
  for (let round = 0; high - low > 1; round++) {
    const slanted = low + (high - low) * (-atLow / (atHigh - atLow))
    const aim = round % 3 === 2 || !Number.isFinite(slanted) ? low + (high - low) / 2 : slanted
    const n = Math.min(high - 1, Math.max(low + 1, Math.round(aim)))
    const value = f(n)
    if (value <= 0) [low, atLow] = [n, value]
    else [high, atHigh] = [n, value]
  }
  return low
}
