/**
 * Walker's alias table over integer weights, without any rounding (Walker 1977; construction after Vose 1991).
 *
 * The weights must be non-negative integers that add up to exactly 2^32, and there must be 2^columnBits of them. A
 * uniform 32-bit word then picks index i with probability exactly `weights[i] / 2^32`: its top bits choose a column of
 * capacity 2^(32 - columnBits), and the rest decide between the column's own index and its alias.
 */
export interface AliasTable {
  readonly columnBits: number
  readonly threshold: Uint32Array
  readonly alias: Uint16Array
}

export function aliasTable(weights: readonly number[], columnBits: number): AliasTable {
  const columns = 2 ** columnBits
  const capacity = 2 ** (32 - columnBits)
  if (weights.length !== columns || weights.reduce((sum, weight) => sum + weight, 0) !== 2 ** 32) {
    throw new RangeError(`an alias table of ${columns} columns needs as many weights, adding up to 2^32`)
  }
  const threshold = new Uint32Array(columns).fill(capacity)
  const alias = Uint16Array.from(weights, (_, i) => i)
  const left = [...weights]
  const small: number[] = []
  const large: number[] = []
  for (let i = 0; i < columns; i++) (left[i]! < capacity ? small : large).push(i)
  while (small.length > 0) {
    const i = small.pop()!
    const donor = large.at(-1)! // the deficits of the small are the surplus of the large: integers leave no remainder
    threshold[i] = left[i]!
    alias[i] = donor
    left[donor]! -= capacity - left[i]!
    if (left[donor]! < capacity) {
      large.pop()
      small.push(donor)
    }
  }
  return { columnBits, threshold, alias }
}
