import { seededSource, shuffled } from '@fedsvd/core/random'
import type { TextRecord } from '../datasets/index.ts'

/** Of the records, to be tested on. */
const TEST_SHARE = 0.2

/** Keeps a fifth of the texts for a test, drawn by the seed; the same text is never on both sides. */
export function splitForTest(records: readonly TextRecord[], seed: string) {
  const texts = new Set(records.map(keyOf))
  const tested = new Set(
    shuffled(seededSource(`test:${seed}`), [...texts]).slice(0, Math.ceil(TEST_SHARE * texts.size)),
  )
  return {
    training: records.filter((record) => !tested.has(keyOf(record))),
    test: records.filter((record) => tested.has(keyOf(record))),
  }
}

function keyOf({ text, pair }: TextRecord): string {
  return JSON.stringify([text, pair])
}
