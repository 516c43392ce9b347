/**
 * The one of the names that is written most like `given`, where one is close: "clientlevel" means clientLevel.
 *
 * @example nearestName('clientlevel', ['clientLevel', 'clipNorm']) // 'clientLevel'
 */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined
  let least = Math.max(2, Math.floor(given.length / 3)) + 1
  for (const name of names) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase(), least)
    if (distance < least) [nearest, least] = [name, distance]
  }
  return nearest
}

/**
 * Insertions, deletions and replacements that turn one text into the other (Levenshtein); no less than `limit` beyond
 * it.
 */
function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit
  let row = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= right.length; j += 1) {
      const replaced = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}
