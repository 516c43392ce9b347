export { type AdapterDescription, PEFT_TASK_TYPES, readAdapter, withoutFeatureScale, writeAdapter } from './adapter.ts'
