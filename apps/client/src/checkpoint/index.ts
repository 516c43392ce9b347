export { type Checkpoints, fileCheckpoints, requireCheckpointsNoted } from './checkpoints.ts'
