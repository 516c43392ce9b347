export { type DatasetInUse, datasetsInUse, holdDataset } from './in-use.ts'
export { MOST_OVERLAP, type SeenData, seenData } from './seen-data.ts'
