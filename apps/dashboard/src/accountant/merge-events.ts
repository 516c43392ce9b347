import type { AccountedEvent } from '@fedsvd/core/accounting'

/** Events with those of one mechanism added up: epsilon is the same, and found faster. */
export function mergeEvents(events: Iterable<AccountedEvent>): readonly AccountedEvent[] {
  const sums = new Map<string, AccountedEvent>()
  for (const { sampleRate, noiseMultiplier, steps } of events) {
    const key = `${sampleRate}/${noiseMultiplier}`
    sums.set(key, { sampleRate, noiseMultiplier, steps: steps + (sums.get(key)?.steps ?? 0) })
  }
  return [...sums.values()]
}
