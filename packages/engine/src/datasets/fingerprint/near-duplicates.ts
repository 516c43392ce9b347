/** When two texts count as the same. */
export interface Likeness {
  /** Least Jaccard index of their sets of shingles: above 0, at most 1. */
  readonly threshold: number
  /** Words that make up one shingle. */
  readonly shingleWords: number
  /** Only the first so many words are compared. */
  readonly firstWords: number
}

/**
 * For every text the position of the earlier text that it repeats, or -1 where it is the first of its kind.
 *
 * Texts are compared word by word, without regard to case, punctuation and the value of digits. Of the texts marked -1
 * no two reach `threshold`, and every other text reaches it with the text it points to, which is itself marked -1. The
 * search is exact and deterministic: no hashing trick can miss a pair (prefix filtering, Chaudhuri et al. 2006, section
 * 4; only equal 32-bit hashes of different shingles, about one in four thousand million, could make two texts look more
 * alike).
 */
export function findNearDuplicates(texts: readonly string[], likeness: Likeness): Int32Array {
  const { threshold } = likeness
  const sets = rarestFirst(texts.map((text) => shingles(text, likeness)))
  const repeats = new Int32Array(texts.length).fill(-1)
  const keptByShingle = new Map<number, number[]>()
  const lastSeenFor = new Int32Array(texts.length).fill(-1)
  sets.forEach((set, position) => {
    // Two sets that reach the threshold share at least one of the rarest |set| - ceil(threshold |set|) + 1 of either.
    const prefix = set.subarray(0, set.length - Math.ceil(threshold * set.length - 1e-9) + 1)
    for (const key of prefix) {
      const shingle = key | 0
      for (const candidate of keptByShingle.get(shingle) ?? []) {
        if (lastSeenFor[candidate] === position) continue
        lastSeenFor[candidate] = position
        const first = repeats[position]!
        if ((first < 0 || candidate < first) && jaccard(set, sets[candidate]!) >= threshold)
          repeats[position] = candidate
      }
    }
    if (repeats[position]! >= 0) return
    for (const key of prefix) {
      const shingle = key | 0
      const kept = keptByShingle.get(shingle)
      if (kept) kept.push(position)
      else keptByShingle.set(shingle, [position])
    }
  })
  return repeats
}

/**
 * The first words of a text as they are compared: runs of letters and digits, in lower case, every digit a 0. At most
 * `limit` of them.
 */
export function comparableWords(text: string, limit = Number.POSITIVE_INFINITY): string[] {
  const words: string[] = []
  for (const [word] of text.matchAll(/[\p{L}\p{N}]+/gu)) {
    if (words.length >= limit) break
    words.push(word.toLowerCase().replace(/\p{N}/gu, '0'))
  }
  return words
}

/** Different hashes of all runs of `shingleWords` words; a shorter text is one shingle. Never empty. */
function shingles(text: string, { shingleWords, firstWords }: Likeness): Set<number> {
  const words = comparableWords(text, firstWords).map(hashOf)
  const found = new Set<number>()
  for (let start = 0; start <= Math.max(0, words.length - shingleWords); start++) {
    let hash = Math.min(words.length, shingleWords)
    for (const word of words.slice(start, start + shingleWords)) hash = mix(hash ^ word)
    found.add(hash | 0)
  }
  return found
}

/**
 * Each set sorted by how many sets a shingle is in, the rarest first, equals by hash. An element is frequency * 2^32 +
 * hash, exact in a double; its low 32 bits are the shingle.
 */
function rarestFirst(sets: readonly Set<number>[]): Float64Array[] {
  const frequency = new Map<number, number>()
  for (const set of sets) for (const shingle of set) frequency.set(shingle, (frequency.get(shingle) ?? 0) + 1)
  return sets.map((set) =>
    Float64Array.from(set, (shingle) => frequency.get(shingle)! * 2 ** 32 + (shingle >>> 0)).sort(),
  )
}

function jaccard(a: Float64Array, b: Float64Array): number {
  let common = 0
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const difference = a[i]! - b[j]!
    if (difference === 0) common++
    if (difference <= 0) i++
    if (difference >= 0) j++
  }
  return common / (a.length + b.length - common)
}

/** FNV-1a over UTF-16 units. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** The finaliser of MurmurHash3, which spreads every bit over all 32. */
function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
