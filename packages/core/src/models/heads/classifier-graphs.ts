import { BATCH, type Graph, GraphBuilder, SEQUENCE, type Value } from '../../autodiff/index.ts'
import type { NamedTensor, TensorSpec } from '../../tensor/index.ts'
import type { LinearLayer } from '../architectures/starter-encoder.ts'
import type { LoraAdapters } from '../layers/linear.ts'
import { tensorOf } from '../layers/parameters.ts'
import { privateStepGraph } from '../private-step.ts'
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
 * Inputs: `tokenIds` [N, T] int32, `typeIds` [N, T] int32 where the encoder reads them, every factor and head tensor under its own name. Outputs: `logits` [N, classes] and
 * `features` [N, featureWidth] (before `featureScale`).
 */
export function inferenceGraph(model: ClassifierModel): Graph {
  const g = new GraphBuilder()
  const { features, logits } = forward(g, model)
  return g.build({ features, logits })
}

/**
 * {@link inferenceGraph} with factors and head inside: what is left to supply is `tokenIds`, and `typeIds` where the encoder
 * reads them. The output is `logits`. `trained` has every factor and head tensor by name.
 */
export function deployedGraph(model: ClassifierModel, trained: ReadonlyMap<string, NamedTensor>): Graph {
  const g = new GraphBuilder()
  const { logits } = forward(g, model, ({ name, shape }) => g.weight(tensorOf(trained, name, shape)))
  return g.build({ logits })
}

/**
 * One micro-batch of the private step.
 *
 * Inputs: as for inference, and `labels` [N] int32. Outputs: as {@link privateStepGraph}. `trained` names factors and head
 * tensors, in any order.
 */
export function trainingGraph(model: ClassifierModel, trained: readonly string[]): Graph {
  const g = new GraphBuilder()
  const { logits, parameters } = forward(g, model)
  const losses = crossEntropy(g, logits, g.input('labels', 'int32', [BATCH]))
  return privateStepGraph(g, losses, parameters, trained)
}

function forward(
  g: GraphBuilder,
  model: ClassifierModel,
  supply: (spec: TensorSpec) => Value = ({ name, shape }) => g.input(name, 'float32', shape),
) {
  const parameters = new Map<string, Value>()
  const parameter = (spec: TensorSpec): Value => {
    const value = supply(spec)
    parameters.set(spec.name, value)
    return value
  }
  const factors = new Map(
    model.layers.map(({ name, dIn, dOut }) => {
      const a = parameter({ name: `${name}.lora_A.weight`, shape: [model.rank, dIn] })
      const b = parameter({ name: `${name}.lora_B.weight`, shape: [dOut, model.rank] })
      return [name, { a, b }]
    }),
  )
  const [tokenIds, typeIds] = (['tokenIds', 'typeIds'] as const).map((name) =>
    g.input(name, 'int32', [BATCH, SEQUENCE]),
  ) as [Value, Value]
  const features = model.encode(g, tokenIds, { scale: model.scale, factors }, typeIds)
  const head = model.head ?? linearHead(model.featureWidth, model.classes)
  const logits = head.logits(g, features, parameter, model.featureScale)
  return { features, logits, parameters }
}
