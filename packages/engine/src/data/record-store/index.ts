export { openRecordStore, type RecordStore } from './open-store.ts'
export { RecordStoreWriter } from './write-store.ts'
