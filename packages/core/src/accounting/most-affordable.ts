/**
 * How many steps, rounds or releases a budget affords: the largest number up to `most` that it does, where it affords
 * each number below one that it affords; 0 where it affords none. Epsilon grows with every composition, so budgets are
 * of that kind.
 *
 * @param affords asked about 1 + log2(most) times
 */
export function mostAffordable(most: number, affords: (count: number) => boolean): number {
  if (most === 0 || affords(most)) return most
  let [low, high] = [0, most]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (affords(middle)) low = middle
    else high = middle
  }
  return low
}
