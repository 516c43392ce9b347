export { type RecordSource, recordsInMemory } from './record-source.ts'
export { shortestFirst } from './shortest-first.ts'
