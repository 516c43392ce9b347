export { headSpecs } from './classifier.ts'
export { type ClassifierModel, gridSumName, inferenceGraph, trainingGraph } from './classifier-graphs.ts'
export type { LoraAdapters } from './linear.ts'
export type { Checkpoint } from './parameters.ts'
export {
  type LinearLayer,
  PADDING_ID,
  STARTER_ENCODER,
  type StarterEncoderConfig,
  type StarterTarget,
  starterEncoder,
  starterLayers,
} from './starter-encoder.ts'
