export { loadStarterCheckpoint, starterModelPath } from './starter-checkpoint.ts'
export { readTfjsWeights } from './tfjs-weights.ts'
