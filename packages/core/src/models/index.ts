export { type ConfigFields, invalidConfig } from './architectures/config-fields.ts'
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
} from './architectures/decoder.ts'
export { DECODER_TYPES, type DecoderConfig, type DecoderType, decoderConfig } from './architectures/decoder-config.ts'
export { type EncoderInputs, encoderFeatures, encoderLayers, encoderStates } from './architectures/encoder.ts'
export { ENCODER_FAMILIES, type EncoderConfig, encoderConfig } from './architectures/encoder-config.ts'
export { ENCODER_DEFAULT_TARGETS, encoderTensorName } from './architectures/encoder-names.ts'
export { GPT2_DEFAULT_TARGETS, type Gpt2Config, gpt2, gpt2Layers, storesInputsFirst } from './architectures/gpt2.ts'
export { LLAMA_DEFAULT_TARGETS, type LlamaConfig, llama, llamaLayers } from './architectures/llama.ts'
export {
  type ClassificationHead,
  encoderHead,
  encoderTags,
  linearHead,
} from './heads/classification-head.ts'
export { headSpecs } from './heads/classifier.ts'
export { type ClassifierModel, deployedGraph, inferenceGraph, trainingGraph } from './heads/classifier-graphs.ts'
export { deployedTokenGraph, type TokenModel, tokenInferenceGraph, tokenTrainingGraph } from './heads/token-graphs.ts'
export { NO_TARGET, type TokenOutput, tokenHeadSpecs } from './heads/token-outputs.ts'
export { ACTIVATION_NAMES } from './layers/activation.ts'
export { attention } from './layers/attention.ts'
export { type LoraAdapters, linear } from './layers/linear.ts'
export type { LinearLayer } from './layers/linear-layer.ts'
export { PADDING_ID } from './layers/padding-id.ts'
export { type Checkpoint, frozen, tensorOf } from './layers/parameters.ts'
export { type ProjectionLayer, projection } from './layers/projection.ts'
export type { Llama3Scaling } from './layers/rotary.ts'
export { gradientName } from './private-step.ts'
export { targetedLayers } from './targets.ts'
