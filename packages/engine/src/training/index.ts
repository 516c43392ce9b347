export type { AdapterRequest, BaseModel, PortableModel } from './base-model.ts'
export { baseModels, registerModel } from './base-models.ts'
export { checkpointSchema, createCheckpointEngine, isDecoder, longestText } from './checkpoint-engine.ts'
export { deployedCheckpoint } from './checkpoint-graph.ts'
export { type ClassifierEngineOptions, classifierEngine } from './classifier-engine.ts'
export {
  createDecoderEngine,
  type DecoderAdapterOptions,
  type DecoderCheckpoint,
  type DecoderEngineOptions,
  decoderSchema,
  decoderTensors,
} from './decoder.ts'
export {
  createEncoderEngine,
  type EncoderAdapterOptions,
  type EncoderCheckpoint,
  type EncoderEngineOptions,
  encoderClassifier,
  encoderSchema,
  encoderTensors,
} from './encoder.ts'
export { createEncoderTagger } from './encoder-tagger.ts'
export { engineFor, proveModel, schemaFor, tokenizerFor } from './engine-for.ts'
export type { GradientSource, LotSumOptions } from './gradient-source.ts'
export { requireKnownAnswers } from './known-answers.ts'
export { sumOfLot } from './lot-sum.ts'
export { type BatchShape, paddedLength } from './micro-batches.ts'
export type { ModelRequest } from './model-request.ts'
export { proveCheckpoint } from './prove-checkpoint.ts'
export { type SelfTestSettings, selfTested } from './self-test.ts'
export { maxTokensPerMicroBatchFor, type TokenEngineOptions, tokenEngine } from './token-engine.ts'
export type {
  EncodedRecord,
  LabelledRecord,
  PrivateEngine,
  RecordGradient,
  TargetedRecord,
  TargetScores,
  TaskEngine,
  TokenEngine,
  TrainingEngine,
} from './training-engine.ts'
export { canEvaluate } from './training-engine.ts'
