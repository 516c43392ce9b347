import { seededSource, shuffled } from '@fedsvd/core/random'
import type { EncodedRecord } from '../datasets/index.ts'
import type { LocalRecords } from './train-locally.ts'

/**
 * Keeps a share of the records for validation, drawn by the seed. Records with the same tokens stay together, so that
 * none is validated on that was trained on.
 */
export function splitForValidation(records: readonly EncodedRecord[], share: number, seed: string): LocalRecords {
  const groups = new Map<string, EncodedRecord[]>()
  for (const record of records) {
    const key = record.tokenIds.join(' ')
    groups.set(key, [...(groups.get(key) ?? []), record])
  }
  const [training, validation]: [EncodedRecord[], EncodedRecord[]] = [[], []]
  for (const group of shuffled(seededSource(`validation:${seed}`), [...groups.values()])) {
    const part = validation.length < share * records.length ? validation : training
    part.push(...group)
  }
  return { training, validation }
}
