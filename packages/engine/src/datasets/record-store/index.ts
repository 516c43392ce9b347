export { openRecordStore, type RecordStore } from './open-store.ts'
export { openUnitIndex, UnitGrouper } from './unit-index.ts'
export { RecordStoreWriter } from './write-store.ts'
