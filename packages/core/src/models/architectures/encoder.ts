import { type GraphBuilder, ops, type Value } from '../../autodiff/index.ts'
import type { NamedTensor } from '../../tensor/index.ts'
import { ACTIVATIONS } from '../layers/activation.ts'
import { attend } from '../layers/attention.ts'
import type { LoraAdapters } from '../layers/linear.ts'
import type { LinearLayer } from '../layers/linear-layer.ts'
import { type Checkpoint, frozen, tensorOf } from '../layers/parameters.ts'
import { type ProjectionLayer, projection } from '../layers/projection.ts'
import type { EncoderConfig } from './encoder-config.ts'
import { ENCODER_NAMES } from './encoder-names.ts'

/**
 * Token ids [N, T], `PADDING_ID` after the last token, and which of two texts a token belongs to [N, T], both int32.
 */
export interface EncoderInputs {
  readonly tokenIds: Value
  readonly typeIds: Value
}

/** The layers that may carry an adapter, in the order in which a token meets them; BERT's pooler is the last. */
export function encoderLayers(config: EncoderConfig): readonly LinearLayer[] {
  const stack = Array.from({ length: config.layers }, (_, index) => Object.values(layerSizes(config, index).linear))
  const all = config.family === 'bert' ? [...stack.flat(), poolerLayer(config)] : stack.flat()
  return all.map(({ name, dIn, dOut }) => ({ name, dIn, dOut }))
}

/**
 * The last hidden states [N, T, width]: embeddings of token, position and type, normalised; then layers of attention
 * and feed-forward, each added to its input and normalised (post-norm). Padding has no influence on tokens.
 */
export function encoderStates(
  g: GraphBuilder,
  inputs: EncoderInputs,
  config: EncoderConfig,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  return afterLayers(g, inputs, config, checkpoint, adapters, (states) => states)
}

/**
 * What the head sees [N, width]: the first token's state, which BERT passes through its pooler, a tanh layer.
 *
 * Only the first token asks in the last layer: what the other tokens would become there is never seen.
 */
export function encoderFeatures(
  g: GraphBuilder,
  inputs: EncoderInputs,
  config: EncoderConfig,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const { width } = config
  const pickFirst = (states: Value) => firstToken(g, states, inputs.tokenIds, config)
  const states = afterLayers(g, inputs, config, checkpoint, adapters, pickFirst)
  const first = ops.reshape(g, states, [states.shape[0]!, width])
  if (config.family !== 'bert') return first
  return ops.tanh(g, projection(g, first, poolerLayer(config), checkpoint, adapters))
}

/** The states after all layers; `asking` picks, from the states before the last one, those that are wanted after it. */
function afterLayers(
  g: GraphBuilder,
  inputs: EncoderInputs,
  config: EncoderConfig,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
  asking: (states: Value) => Value,
): Value {
  const isToken = ops.toFloat(g, ops.greaterOrEqual(g, inputs.tokenIds, ops.reshape(g, g.indices([0]), [])))
  let hidden = embed(g, inputs, config, checkpoint)
  for (let index = 0; index < config.layers; index++) {
    const isLast = index === config.layers - 1
    const states = { all: hidden, asking: isLast ? asking(hidden) : hidden }
    hidden = transformerLayer(g, states, isToken, config, index, checkpoint, adapters)
  }
  return hidden
}

/** The states [N, 1, width] of every record's first token. */
function firstToken(g: GraphBuilder, states: Value, tokenIds: Value, { maxTokens }: EncoderConfig): Value {
  const data = Float32Array.from({ length: maxTokens }, (_, place) => Number(place === 0))
  const isFirst = ops.firstRows(g, g.weight({ name: 'places.first', shape: [maxTokens], data }), tokenIds, 1)
  const selection = ops.reshape(g, isFirst, [1, 1, isFirst.shape[0]!])
  return ops.matmul(g, selection, states)
}

function embed(
  g: GraphBuilder,
  { tokenIds, typeIds }: EncoderInputs,
  config: EncoderConfig,
  checkpoint: Checkpoint,
): Value {
  const { vocabularySize, width, tokenTypes } = config
  const name = `${ENCODER_NAMES[config.family].prefix}.embeddings`
  const norm = (x: Value) => layerNorm(g, x, `${name}.LayerNorm`, config, checkpoint)
  const words = frozen(g, checkpoint, `${name}.word_embeddings.weight`, [vocabularySize, width])
  const placed = ops.add(
    g,
    ops.gatherRows(g, words, tokenIds),
    ops.firstRows(g, g.weight(positionTable(config, checkpoint)), tokenIds, 1),
  )
  if (!readsTypes(config)) return norm(placed)
  const types = frozen(g, checkpoint, `${name}.token_type_embeddings.weight`, [tokenTypes, width])
  return norm(ops.add(g, placed, ops.gatherRows(g, types, typeIds)))
}

/** Whether the model is told which of two texts a token belongs to; in RoBERTa every token is of type 0. */
function readsTypes({ family, tokenTypes }: EncoderConfig): boolean {
  return family === 'bert' && tokenTypes > 1
}

/**
 * Row p is what every token at place p gets [maxTokens, width]: its position's embedding, and the type's where all have
 * one.
 */
function positionTable(config: EncoderConfig, checkpoint: Checkpoint): NamedTensor {
  const { width, maxTokens, firstPosition, tokenTypes } = config
  const name = `${ENCODER_NAMES[config.family].prefix}.embeddings`
  const table = tensorOf(checkpoint, `${name}.position_embeddings.weight`, [firstPosition + maxTokens, width])
  const rows = table.data.subarray(firstPosition * width)
  const shape = [maxTokens, width]
  if (tokenTypes === 0 || readsTypes(config)) return { name: table.name, shape, data: rows }
  const types = tensorOf(checkpoint, `${name}.token_type_embeddings.weight`, [tokenTypes, width]).data
  return { name: `${name}.places`, shape, data: rows.map((value, index) => value + types[index % width]!) }
}

/** Every one of `all` is attended to, and those of `asking` go on. */
function transformerLayer(
  g: GraphBuilder,
  { all, asking }: { readonly all: Value; readonly asking: Value },
  isToken: Value,
  config: EncoderConfig,
  index: number,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const { linear, attentionNorm, ffnNorm } = layerSizes(config, index)
  const project = (layer: ProjectionLayer, input: Value) => projection(g, input, layer, checkpoint, adapters)
  const norm = (name: string, input: Value) => layerNorm(g, input, name, config, checkpoint)
  const [queries, keys, values] = [project(linear.query, asking), project(linear.key, all), project(linear.value, all)]
  const mixed = attend(g, { queries, keys, values }, isToken, config.heads)
  const attended = norm(attentionNorm, ops.add(g, project(linear.out, mixed), asking))
  const inner = ACTIVATIONS[config.activation](g, project(linear.up, attended))
  return norm(ffnNorm, ops.add(g, project(linear.down, inner), attended))
}

function layerNorm(
  g: GraphBuilder,
  x: Value,
  name: string,
  { width, layerNormEpsilon }: EncoderConfig,
  checkpoint: Checkpoint,
): Value {
  const [gain, shift] = ['weight', 'bias'].map((part) => frozen(g, checkpoint, `${name}.${part}`, [width]))
  return ops.layerNorm(g, x, gain!, shift!, layerNormEpsilon)
}

/** In the order in which a token meets them. */
function layerSizes({ family, width, ffnWidth }: EncoderConfig, index: number) {
  const names = ENCODER_NAMES[family]
  const layer = `${names.prefix}.${names.layer}.${index}`
  const sized = (part: 'query' | 'key' | 'value' | 'out' | 'up' | 'down', dIn: number, dOut: number) => {
    return { name: `${layer}.${names[part]}`, dIn, dOut, bias: true }
  }
  return {
    attentionNorm: `${layer}.${names.attentionNorm}`,
    ffnNorm: `${layer}.${names.ffnNorm}`,
    linear: {
      query: sized('query', width, width),
      key: sized('key', width, width),
      value: sized('value', width, width),
      out: sized('out', width, width),
      up: sized('up', width, ffnWidth),
      down: sized('down', ffnWidth, width),
    },
  }
}

function poolerLayer({ width }: EncoderConfig): ProjectionLayer {
  return { name: `${ENCODER_NAMES.bert.prefix}.pooler.dense`, dIn: width, dOut: width, bias: true }
}
