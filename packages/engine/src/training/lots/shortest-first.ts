/** Positions of `lengths`, those of the shortest first, equal ones in their order. Four bytes for each, and no more. */
export function shortestFirst(lengths: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: lengths.length }, (_, position) => position).sort(
    (a, b) => lengths[a]! - lengths[b]! || a - b,
  )
}
