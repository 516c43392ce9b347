import {
  BATCH,
  clippedGridSum,
  type Graph,
  GraphBuilder,
  ops,
  perRecordGradients,
  SEQUENCE,
  type Value,
} from '../graph/index.ts'
import type { TensorSpec } from '../tensor/index.ts'
import { classify, crossEntropy, headSpecs } from './classifier.ts'
import type { LoraAdapters } from './linear.ts'
import type { LinearLayer } from './starter-encoder.ts'

/** An encoder with adapted layers and a linear classification head on top. */
export interface ClassifierModel {
  readonly layers: readonly LinearLayer[]
  readonly rank: number
  /** Multiplies B A: alpha / rank. */
  readonly scale: number
  readonly featureWidth: number
  /** Multiplies the encoder's output before the head sees it; public and constant. */
  readonly featureScale: number
  readonly classes: number
  /** Features [N, featureWidth] of token ids [N, T]. */
  encode(g: GraphBuilder, tokenIds: Value, adapters: LoraAdapters): Value
}

/** The name under which the integer sum of a trained tensor leaves the training graph. */
export function gridSumName(parameter: string): string {
  return `gridSum:${parameter}`
}

/**
 * Token ids to logits.
 *
 * Inputs: `tokenIds` [N, T] int32, every factor and head tensor under its own name. Outputs: `logits` [N, classes] and
 * `features` [N, featureWidth] (before `featureScale`).
 */
export function inferenceGraph(model: ClassifierModel): Graph {
  const g = new GraphBuilder()
  const { features, logits } = forward(g, model)
  return g.build({ features, logits })
}

/**
 * One micro-batch of the private step: see {@link clippedGridSum} for the arithmetic.
 *
 * Inputs: as for inference, and `labels` [N] int32, `clipNorm` [] float32. Outputs: `norms` [N], `losses` [N], and for
 * each trained tensor {@link gridSumName}. `trained` names factors and head tensors, in any order.
 */
export function trainingGraph(model: ClassifierModel, trained: readonly string[], gridBits: number): Graph {
  const g = new GraphBuilder()
  const { logits, parameters } = forward(g, model)
  const losses = crossEntropy(g, logits, g.input('labels', 'int32', [BATCH]))
  const gradients = perRecordGradients(
    g,
    losses,
    trained.map((name) => parameters.get(name)!),
  )
  const { sums, norms } = clippedGridSum(g, gradients, g.input('clipNorm', 'float32', []), gridBits)
  const outputs = trained.map((name, index) => [gridSumName(name), sums[index]!] as const)
  return g.build({ norms, losses, ...Object.fromEntries(outputs) })
}

function forward(g: GraphBuilder, model: ClassifierModel) {
  const parameters = new Map<string, Value>()
  const parameter = ({ name, shape }: TensorSpec): Value => {
    const value = g.input(name, 'float32', shape)
    parameters.set(name, value)
    return value
  }
  const factors = new Map(
    model.layers.map(({ name, dIn, dOut }) => {
      const a = parameter({ name: `${name}.lora_A.weight`, shape: [model.rank, dIn] })
      const b = parameter({ name: `${name}.lora_B.weight`, shape: [dOut, model.rank] })
      return [name, { a, b }]
    }),
  )
  const tokenIds = g.input('tokenIds', 'int32', [BATCH, SEQUENCE])
  const features = model.encode(g, tokenIds, { scale: model.scale, factors })
  const [weightSpec, biasSpec] = headSpecs(model.featureWidth, model.classes)
  const scaled = ops.scale(g, features, model.featureScale)
  const logits = classify(g, scaled, parameter(weightSpec), parameter(biasSpec))
  return { features, logits, parameters }
}
