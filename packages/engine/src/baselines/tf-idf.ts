/** A text as the terms that it has, by their numbers, with a weight for each; of length 1, or empty. */
export interface SparseVector {
  readonly indices: Uint32Array
  readonly values: Float64Array
}

export interface TfIdf {
  /** How many terms it knows. */
  readonly size: number
  /** A text by the terms known here; others are left out. */
  vectorOf(text: string): SparseVector
}

/** Words of letters and digits, in lower case, and the pairs of words that follow each other. */
function* termsOf(text: string): Generator<string> {
  let before: string | undefined
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}_]+/gu)) {
    yield word
    if (before !== undefined) yield `${before} ${word}`
    before = word
  }
}

/**
 * Learns the terms of texts and how rare each is: weights are (1 + log count) x (1 + log((1 + texts) / (1 + texts with
 * the term))), and the vector of a text has length 1. Terms of a single text are left out.
 */
export function fitTfIdf(texts: readonly string[]): TfIdf {
  const documents = new Map<string, number>()
  for (const text of texts) {
    for (const term of new Set(termsOf(text))) documents.set(term, (documents.get(term) ?? 0) + 1)
  }
  const terms = [...documents].filter(([, count]) => count > 1)
  const rarity = Float64Array.from(terms, ([, count]) => 1 + Math.log((1 + texts.length) / (1 + count)))
  const numberOf = new Map(terms.map(([term], index) => [term, index]))
  return {
    size: terms.length,
    vectorOf(text) {
      const counts = new Map<number, number>()
      for (const term of termsOf(text)) {
        const index = numberOf.get(term)
        if (index !== undefined) counts.set(index, (counts.get(index) ?? 0) + 1)
      }
      const entries = [...counts].sort(([a], [b]) => a - b)
      const weights = entries.map(([index, count]) => (1 + Math.log(count)) * rarity[index]!)
      const length = Math.hypot(...weights)
      return {
        indices: Uint32Array.from(entries, ([index]) => index),
        values: Float64Array.from(weights, (weight) => weight / length),
      }
    },
  }
}
