export { ACTIVATION_NAMES } from './activation.ts'
export {
  type ClassificationHead,
  encoderHead,
  encoderTags,
  linearHead,
} from './classification-head.ts'
export { headSpecs } from './classifier.ts'
export { type ClassifierModel, deployedGraph, inferenceGraph, trainingGraph } from './classifier-graphs.ts'
export { type ConfigFields, invalidConfig } from './config-fields.ts'
export {
  decoderDefaultTargets,
  decoderFeatures,
  decoderLayers,
  decoderStates,
  decoderTagHead,
  decoderTensorName,
  outputEmbeddings,
  scoreHead,
  withMaxTokens,
} from './decoder.ts'
export { DECODER_TYPES, type DecoderConfig, type DecoderType, decoderConfig } from './decoder-config.ts'
export { type EncoderInputs, encoderFeatures, encoderLayers, encoderStates } from './encoder.ts'
export { ENCODER_FAMILIES, type EncoderConfig, encoderConfig } from './encoder-config.ts'
export { ENCODER_DEFAULT_TARGETS, encoderTensorName } from './encoder-names.ts'
export { GPT2_DEFAULT_TARGETS, type Gpt2Config, gpt2, gpt2Layers, storesInputsFirst } from './gpt2.ts'
export type { LoraAdapters } from './linear.ts'
export { LLAMA_DEFAULT_TARGETS, type LlamaConfig, llama, llamaLayers } from './llama.ts'
export type { Checkpoint } from './parameters.ts'
export { gradientName } from './private-step.ts'
export type { Llama3Scaling } from './rotary.ts'
export {
  type LinearLayer,
  PADDING_ID,
  STARTER_ENCODER,
  type StarterEncoderConfig,
  type StarterTarget,
  starterEncoder,
  starterLayers,
} from './starter-encoder.ts'
export { targetedLayers } from './targets.ts'
export { type TokenModel, tokenInferenceGraph, tokenTrainingGraph } from './token-graphs.ts'
export { NO_TARGET, type TokenOutput, tokenHeadSpecs } from './token-outputs.ts'
