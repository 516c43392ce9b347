export type { JsonObject } from '../../files/index.ts'
export { type CheckpointFolder, openCheckpoint } from './checkpoint-folder.ts'
export { configHash, identityOf, requireSame } from './identity.ts'
export { forEachTensor, hasTensors, readTensors, tensorFiles } from './tensor-files.ts'
