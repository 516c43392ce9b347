export { encodeRecords, recordEncoder } from './encoding/encode-records.ts'
export { type EncodingTerms, taskEncoder } from './encoding/encode-task.ts'
export { encodeText, plainSpaces } from './encoding/encode-text.ts'
export { type EncodedRecord, IGNORED, type LabelledRecord, type TargetedRecord } from './encoding/encoded-record.ts'
export { labelsOf } from './encoding/label-set.ts'
export type { LengthSummary } from './encoding/lengths.ts'
export { fingerprintRecords } from './fingerprint/fingerprint.ts'
export { Fingerprinter } from './fingerprint/fingerprinter.ts'
export { FORMER_SPELLINGS } from './fingerprint/former-spellings.ts'
export { comparableWords, findNearDuplicates, type Likeness } from './fingerprint/near-duplicates.ts'
export { type DataSummary, inspectData } from './inspect.ts'
export { BAD_TEXT_MARK } from './readers/bad-text.ts'
export { type ColumnNames, columnsOfTask, taskOfColumns } from './readers/columns.ts'
export { type DataPaths, dataParts, notReadable } from './readers/data-files.ts'
export { type LeftOut, LeftOutCount } from './readers/left-out.ts'
export { type Place, placeText } from './readers/place.ts'
export { type ModelInput, readInputs } from './readers/read-inputs.ts'
export {
  dataEmpty,
  loadRecords,
  readableRecords,
  readableRows,
  readRecords,
  readRows,
  readSiteRecords,
} from './readers/read-records.ts'
export type { ReadOptions } from './readers/row.ts'
export { Spelled } from './readers/spelled.ts'
export { decoderFor } from './readers/text-bytes.ts'
export { type RecordSource, recordsInMemory, type Units, unitsIn } from './record-source.ts'
export { openRecordStore, type RecordStore, RecordStoreWriter } from './record-store/index.ts'
export { openUnitIndex, UnitGrouper } from './record-store/unit-index.ts'
export { shuffledGroups } from './shuffled-groups.ts'
export {
  type InstructionRecord,
  type PassageRecord,
  type RecordOf,
  type SiteRecord,
  type TaggedRecord,
  type TextRecord,
  taskOf,
} from './text-record.ts'
export { PlacesWriter, placeOf, readPlaces, type SplitRecords, splitByPlace } from './unit-places.ts'
