import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '@fedsvd/core/autodiff'
import {
  attention,
  type Checkpoint,
  frozen,
  type LinearLayer,
  type LoraAdapters,
  linear,
  tensorOf,
} from '@fedsvd/core/models'
import type { NamedTensor } from '@fedsvd/core/tensor'

/** Sizes of the starter encoder: the universal sentence encoder "lite" (Cer et al. 2018, arXiv 1803.11175). */
export interface StarterEncoderConfig {
  readonly vocabularySize: number
  readonly embeddingWidth: number
  readonly width: number
  readonly ffnWidth: number
  readonly heads: number
  readonly layers: number
  readonly maxTokens: number
}

/** The published checkpoint. */
export const STARTER_ENCODER: StarterEncoderConfig = {
  vocabularySize: 8002,
  embeddingWidth: 256,
  width: 512,
  ffnWidth: 1536,
  heads: 4,
  layers: 2,
  maxTokens: 128,
}

const LAYER_NORM_EPSILON = 1e-6
const MIN_SQUARED_LENGTH = 1e-12

/** The layers that may carry an adapter; all but `pooler.dense` occur once in every transformer layer. */
export type StarterTarget = 'attention.qkv' | 'attention.out' | 'ffn.conv1' | 'ffn.conv2' | 'pooler.dense'

/** The targeted linear layers in the order in which a token meets them. */
export function starterLayers(config: StarterEncoderConfig, targets: readonly StarterTarget[]): readonly LinearLayer[] {
  const stack = Array.from({ length: config.layers }, (_, index) => {
    const sizes = layerSizes(config, index)
    return [sizes.qkv, sizes.out, sizes.conv1, sizes.conv2]
  })
  const all = [...stack.flat(), poolerLayer(config)]
  return all.filter(({ name }) => targets.some((target) => name === target || name.endsWith(`.${target}`)))
}

/**
 * Embeddings [N, width] of unit length for token ids [N, T] (int32, -1 after the last token; 0 is the unknown piece).
 *
 * Twice the token's embedding plus its position's sine and cosine; pre-norm transformer layers; the mean over the
 * tokens; a tanh layer; L2 normalisation. Padding has no influence. A record without tokens gives the embedding of a
 * zero mean.
 */
export function starterEncoder(
  g: GraphBuilder,
  tokenIds: Value,
  config: StarterEncoderConfig,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const isToken = ops.toFloat(g, ops.greaterOrEqual(g, tokenIds, ops.reshape(g, g.indices([0]), [])))
  let hidden = embed(g, tokenIds, config, checkpoint)
  for (let index = 0; index < config.layers; index++) {
    hidden = transformerLayer(g, hidden, isToken, config, index, checkpoint, adapters)
  }
  const pooled = meanOverTokens(g, hidden, isToken)
  const dense = ops.tanh(g, linear(g, pooled, poolerLayer(config), checkpoint, adapters))
  const squaredLength = ops.reduceSum(g, ops.mul(g, dense, dense), [-1], true)
  return ops.div(g, dense, ops.sqrt(g, ops.max(g, squaredLength, g.scalar(MIN_SQUARED_LENGTH))))
}

/** Twice the embedding of the token plus the signal of its position: [N, T, embeddingWidth]. */
function embed(g: GraphBuilder, tokenIds: Value, config: StarterEncoderConfig, checkpoint: Checkpoint): Value {
  const table = tensorOf(checkpoint, 'embeddings.weight', [config.vocabularySize, config.embeddingWidth])
  const doubled = g.weight({ ...table, name: 'embeddings.doubled', data: table.data.map((value) => 2 * value) })
  const signal = g.weight(positionSignal(config, checkpoint))
  return ops.add(g, ops.gatherRows(g, doubled, tokenIds), ops.firstRows(g, signal, tokenIds, 1))
}

/**
 * Row p is the sines, then the cosines, of p times every frequency; angles are rounded to float32 as in the original.
 */
function positionSignal({ maxTokens, embeddingWidth }: StarterEncoderConfig, checkpoint: Checkpoint): NamedTensor {
  const half = embeddingWidth / 2
  const frequencies = tensorOf(checkpoint, 'positions.frequencies', [half]).data
  const data = new Float32Array(maxTokens * embeddingWidth)
  for (let position = 0; position < maxTokens; position++) {
    for (let index = 0; index < half; index++) {
      const angle = Math.fround(position * frequencies[index]!)
      data[position * embeddingWidth + index] = Math.sin(angle)
      data[position * embeddingWidth + half + index] = Math.cos(angle)
    }
  }
  return { name: 'positions.signal', shape: [maxTokens, embeddingWidth], data }
}

function transformerLayer(
  g: GraphBuilder,
  x: Value,
  isToken: Value,
  config: StarterEncoderConfig,
  index: number,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const { name, qkv, out, residual, conv1, conv2 } = layerSizes(config, index)
  const project = (layer: LinearLayer, input: Value) => linear(g, input, layer, checkpoint, adapters)
  const norm = (part: string, input: Value) => {
    const width = input.shape.at(-1) as number
    const parameter = (suffix: string) => frozen(g, checkpoint, `${name}.${part}.norm.${suffix}`, [width])
    return ops.layerNorm(g, input, parameter('weight'), parameter('bias'), LAYER_NORM_EPSILON)
  }
  const mixed = attention(g, project(qkv, norm('attention', x)), isToken, config.heads)
  const shortcut = residual ? project(residual, x) : x
  const attended = ops.add(g, project(out, mixed), shortcut)
  const activated = ops.relu(g, project(conv1, norm('ffn', attended)))
  return ops.add(g, project(conv2, activated), attended)
}

/** Layer 0 widens the token embeddings, and so projects its shortcut too. */
function layerSizes({ embeddingWidth, width, ffnWidth }: StarterEncoderConfig, index: number) {
  const name = `encoder.layer.${index}`
  const dIn = index === 0 ? embeddingWidth : width
  return {
    name,
    qkv: { name: `${name}.attention.qkv`, dIn, dOut: 3 * dIn },
    out: { name: `${name}.attention.out`, dIn, dOut: width },
    residual: dIn === width ? undefined : { name: `${name}.residual`, dIn, dOut: width },
    conv1: { name: `${name}.ffn.conv1`, dIn: width, dOut: ffnWidth },
    conv2: { name: `${name}.ffn.conv2`, dIn: ffnWidth, dOut: width },
  }
}

function poolerLayer({ width }: StarterEncoderConfig): LinearLayer {
  return { name: 'pooler.dense', dIn: width, dOut: width }
}

/** The mean of [N, T, width] over the tokens of each record: [N, width]. */
function meanOverTokens(g: GraphBuilder, hidden: Value, isToken: Value): Value {
  const count = ops.max(g, ops.reduceSum(g, isToken, [1], true), g.scalar(1))
  const weights = ops.reshape(g, ops.div(g, isToken, count), [BATCH, 1, SEQUENCE])
  return ops.reshape(g, ops.matmul(g, weights, hidden), [BATCH, hidden.shape.at(-1)!])
}
