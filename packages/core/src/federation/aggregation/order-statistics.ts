/**
 * The coordinate-wise median (Yin et al. 2018, arXiv 1803.01498, definition 1): with fewer than half of the updates
 * malicious, every coordinate lies between two honest values. For an even number, the mean of the middle two.
 *
 * @param updates equally long, at least one
 */
export function median(updates: readonly Float32Array[]): Float32Array {
  return trimmedMean(updates, Math.ceil(updates.length / 2) - 1)
}

/**
 * The coordinate-wise trimmed mean (Yin et al. 2018, definition 2): the `trimmed` largest and the `trimmed` smallest values
 * of each coordinate are left out and the rest is averaged. With at most `trimmed` malicious updates, what is left lies
 * between honest values.
 *
 * @param updates equally long, more than 2 * trimmed
 */
export function trimmedMean(updates: readonly Float32Array[], trimmed: number): Float32Array {
  const values = new Float32Array(updates.length)
  const kept = updates.length - 2 * trimmed
  return Float32Array.from(updates[0]!, (_, coordinate) => {
    for (let index = 0; index < updates.length; index += 1) values[index] = updates[index]![coordinate]!
    values.sort()
    let sum = 0
    for (let index = trimmed; index < trimmed + kept; index += 1) sum += values[index]!
    return sum / kept
  })
}
