export { encodeRecords, plainSpaces } from './encode-records.ts'
export type { EncodedRecord } from './encoded-record.ts'
export { fingerprintRecords } from './fingerprint.ts'
export { labelsOf } from './label-set.ts'
export { findNearDuplicates, type Likeness } from './near-duplicates.ts'
export { loadRecords, readRecords } from './read-records.ts'
export type { ReadOptions } from './row.ts'
export * from './starter-corpus/index.ts'
export {
  type InstructionRecord,
  type PassageRecord,
  type RecordOf,
  type SiteRecord,
  type TaggedRecord,
  type TextRecord,
  taskOf,
} from './text-record.ts'
