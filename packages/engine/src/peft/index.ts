export { type AdapterDescription, readAdapter, writeAdapter } from './adapter.ts'
