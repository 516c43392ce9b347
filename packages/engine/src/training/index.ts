export { checkpointSchema, createCheckpointEngine, longestText } from './checkpoint-engine.ts'
export { type ClassifierEngineOptions, classifierEngine } from './classifier-engine.ts'
export {
  createEncoderEngine,
  type EncoderAdapterOptions,
  type EncoderCheckpoint,
  type EncoderEngineOptions,
  encoderClassifier,
  encoderSchema,
  encoderTensors,
} from './encoder.ts'
export { engineFor, type ModelRequest, STARTER, starterEngineFor, tokenizerFor } from './engine-for.ts'
export {
  createStarterEngine,
  type StarterAdapterOptions,
  type StarterEngineOptions,
  starterSchema,
} from './starter.ts'
export type { EncodedRecord, LotResult, TrainingEngine } from './training-engine.ts'
