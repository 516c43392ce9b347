export { MOST_OVERLAP, type SeenData, seenData } from './seen-data.ts'
