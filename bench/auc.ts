/**
 * The probability that a value of `a` is greater than one of `b`, ties counted as a half: 0.5 where neither tells which
 * of the two it is from.
 */
export function auc(a: readonly number[], b: readonly number[]): number {
  let wins = 0
  for (const left of a) for (const right of b) wins += left > right ? 1 : left === right ? 0.5 : 0
  return wins / (a.length * b.length)
}
