export { type Lot, lotOfAll } from './lot.ts'
export { type RecordSource, recordsInMemory, type Units, unitsIn } from './record-source.ts'
export { shortestFirst } from './shortest-first.ts'
