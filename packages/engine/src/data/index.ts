export { type ColumnNames, columnsOfTask, taskOfColumns } from './columns.ts'
export { type DataPaths, dataParts, notReadable } from './data-files.ts'
export { encodeRecords, recordEncoder } from './encode-records.ts'
export { type EncodingTerms, taskEncoder } from './encode-task.ts'
export { encodeText, plainSpaces } from './encode-text.ts'
export { type EncodedRecord, IGNORED, type LabelledRecord, type TargetedRecord } from './encoded-record.ts'
export { fingerprintRecords } from './fingerprint.ts'
export { Fingerprinter } from './fingerprinter.ts'
export { FORMER_SPELLINGS } from './former-spellings.ts'
export { type DataSummary, inspectData } from './inspect.ts'
export { labelsOf } from './label-set.ts'
export { type LeftOut, LeftOutCount } from './left-out.ts'
export type { LengthSummary } from './lengths.ts'
export { findNearDuplicates, type Likeness } from './near-duplicates.ts'
export { type Place, placeText } from './place.ts'
export {
  dataEmpty,
  loadRecords,
  readableRecords,
  readableRows,
  readRecords,
  readRows,
  readSiteRecords,
} from './read-records.ts'
export { openRecordStore, type RecordStore, RecordStoreWriter } from './record-store/index.ts'
export type { ReadOptions } from './row.ts'
export { Spelled } from './spelled.ts'
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
export { openUnitIndex, UnitGrouper } from './unit-index.ts'
