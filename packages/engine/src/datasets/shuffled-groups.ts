import { seededSource, shuffled } from '@fedsvd/core/random'

/** The records in groups that share a key, such as copies of a text; the groups in an order drawn by the seed. */
export function shuffledGroups<T>(records: readonly T[], keyOf: (record: T) => string, seed: string): readonly T[][] {
  const groups = new Map<string, T[]>()
  for (const record of records) {
    const key = keyOf(record)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [record])
    else group.push(record)
  }
  return shuffled(seededSource(seed), [...groups.values()])
}
