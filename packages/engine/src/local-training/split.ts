import { type EncodedRecord, shuffledGroups } from '../datasets/index.ts'
import type { LocalRecords } from './train-locally.ts'

/**
 * Keeps a share of the records for validation, drawn by the seed. Records with the same tokens stay together, so that
 * none is validated on that was trained on.
 */
export function splitForValidation(records: readonly EncodedRecord[], share: number, seed: string): LocalRecords {
  const [training, validation]: [EncodedRecord[], EncodedRecord[]] = [[], []]
  for (const group of shuffledGroups(records, ({ tokenIds }) => tokenIds.join(' '), `validation:${seed}`)) {
    const part = validation.length < share * records.length ? validation : training
    part.push(...group)
  }
  return { training, validation }
}
