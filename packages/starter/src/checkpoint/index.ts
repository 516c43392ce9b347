export { loadStarterCheckpoint, starterModelPath } from './load.ts'
