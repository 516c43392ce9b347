export { type Lot, lotOfAll } from './lot.ts'
export { shortestFirst } from './shortest-first.ts'
