import type { PrivacyTerms } from '@fedsvd/core/protocol'

interface Recorded {
  readonly runId: string
  readonly clientId: string
  readonly recordedAt: number
}

/**
 * The terms of the earliest of each client's entries; of two at one instant that of the smaller run id, so it is always
 * the same.
 */
export function firstOfEach<T extends Recorded>(
  entries: readonly T[],
  termsOf: (entry: T) => PrivacyTerms | undefined,
): ReadonlyMap<string, PrivacyTerms> {
  const sorted = entries.toSorted((left, right) => {
    return left.recordedAt - right.recordedAt || (left.runId < right.runId ? -1 : 1)
  })
  const first = new Map<string, PrivacyTerms>()
  for (const entry of sorted) {
    const terms = first.has(entry.clientId) ? undefined : termsOf(entry)
    if (terms !== undefined) first.set(entry.clientId, terms)
  }
  return first
}
