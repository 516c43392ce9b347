import { shuffledGroups, type TextRecord } from '../datasets/index.ts'

/** Of the texts, to be tested on. */
const TEST_SHARE = 0.2

/** Keeps a fifth of the texts for a test, drawn by the seed; the same text is never on both sides. */
export function splitForTest(records: readonly TextRecord[], seed: string) {
  const groups = shuffledGroups(records, ({ text, pair }) => JSON.stringify([text, pair]), `test:${seed}`)
  const tested = new Set(groups.slice(0, Math.ceil(TEST_SHARE * groups.length)).flat())
  return {
    training: records.filter((record) => !tested.has(record)),
    test: records.filter((record) => tested.has(record)),
  }
}
