export { type AdapterDescription, readAdapter, withoutFeatureScale, writeAdapter } from './adapter.ts'
