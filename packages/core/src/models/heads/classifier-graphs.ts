import { BATCH, type Graph, GraphBuilder, type Value } from '../../autodiff/index.ts'
import type { NamedTensor, TensorSpec } from '../../tensor/index.ts'
import type { LoraAdapters } from '../layers/linear.ts'
import type { LinearLayer } from '../layers/linear-layer.ts'
import { tensorOf } from '../layers/parameters.ts'
import { privateStepGraph } from '../private-step.ts'
import { adaptedInputs, type InputSources, idsOfTokenizers } from './adapted-inputs.ts'
import { type ClassificationHead, linearHead } from './classification-head.ts'
import { crossEntropy } from './classifier.ts'

/** An encoder with adapted layers and a classification head on top. */
export interface ClassifierModel {
  readonly layers: readonly LinearLayer[]
  readonly rank: number
  /** Multiplies B A: alpha / rank. */
  readonly scale: number
  readonly featureWidth: number
  /** Multiplies what the head's output layer sees; public and constant. */
  readonly featureScale: number
  readonly classes: number
  /** One linear layer unless given. */
  readonly head?: ClassificationHead
  /** Features [N, featureWidth] of token ids [N, T]; models of pairs are told which text a token belongs to [N, T]. */
  encode(g: GraphBuilder, tokenIds: Value, adapters: LoraAdapters, typeIds: Value): Value
}

/**
 * Token ids to logits.
 *
 * Inputs: `tokenIds` [N, T] int32, `typeIds` [N, T] int32 where the encoder reads them, every factor and head tensor
 * under its own name. Outputs: `logits` [N, classes] and `features` [N, featureWidth] (before `featureScale`).
 */
export function inferenceGraph(model: ClassifierModel): Graph {
  const g = new GraphBuilder()
  const { features, logits } = forward(g, model)
  return g.build({ features, logits })
}

/**
 * {@link inferenceGraph} with factors and head inside, for others' libraries: what is left to supply is `input_ids`,
 * `attention_mask` and, where the encoder reads it, `token_type_ids`, [N, T] int64. The output is `logits`. `trained`
 * has every factor and head tensor by name.
 */
export function deployedGraph(model: ClassifierModel, trained: ReadonlyMap<string, NamedTensor>): Graph {
  const g = new GraphBuilder()
  const supply = ({ name, shape }: TensorSpec) => g.weight(tensorOf(trained, name, shape))
  const { logits } = forward(g, model, { supply, tokens: idsOfTokenizers })
  return g.build({ logits })
}

/**
 * One micro-batch of the private step.
 *
 * Inputs: as for inference, and `labels` [N] int32. Outputs: as {@link privateStepGraph}. `trained` names factors and
 * head tensors, in any order.
 */
export function trainingGraph(model: ClassifierModel, trained: readonly string[]): Graph {
  const g = new GraphBuilder()
  const { logits, parameters } = forward(g, model)
  const losses = crossEntropy(g, logits, g.input('labels', 'int32', [BATCH]))
  return privateStepGraph(g, losses, parameters, trained)
}

function forward(g: GraphBuilder, model: ClassifierModel, sources?: InputSources) {
  const { parameters, parameter, factors, tokenIds, typeIds } = adaptedInputs(g, model, sources)
  const features = model.encode(g, tokenIds, { scale: model.scale, factors }, typeIds)
  const head = model.head ?? linearHead(model.featureWidth, model.classes)
  const logits = head.logits(g, features, parameter, model.featureScale)
  return { features, logits, parameters }
}
