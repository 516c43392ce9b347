export { type AdapterDescription, readAdapter, TASK_TYPES, withoutFeatureScale, writeAdapter } from './adapter.ts'
