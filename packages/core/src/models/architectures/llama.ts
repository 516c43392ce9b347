import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'
import { FedsvdError } from '../../errors.ts'
import { ACTIVATIONS } from '../layers/activation.ts'
import { causalAttention, positionsOf } from '../layers/causal-attention.ts'
import type { LoraAdapters } from '../layers/linear.ts'
import type { LinearLayer } from '../layers/linear-layer.ts'
import { type Checkpoint, frozen } from '../layers/parameters.ts'
import { type ProjectionLayer, projection } from '../layers/projection.ts'
import { type Llama3Scaling, type RotaryTables, rotaryTables, rotate } from '../layers/rotary.ts'

/**
 * Sizes of a decoder of the Llama type (Touvron et al. 2023, arXiv 2302.13971). Llama, SmolLM, Mistral and Qwen2 differ
 * in nothing else.
 */
export interface LlamaConfig {
  readonly vocabularySize: number
  readonly width: number
  readonly ffnWidth: number
  readonly layers: number
  readonly heads: number
  /** Fewer than `heads` where groups of query heads share keys and values. */
  readonly keyValueHeads: number
  readonly headWidth: number
  /** Positions of the tables: the longest record of a run. */
  readonly maxTokens: number
  readonly rmsNormEpsilon: number
  readonly ropeTheta: number
  readonly ropeScaling?: Llama3Scaling
  /** Which projections of the attention have a bias: `qkv` in Qwen2. */
  readonly attentionBias: 'none' | 'qkv' | 'all'
  /**
   * A token sees so many tokens at most (Mistral). Records must fit into it: then the window never cuts anything off.
   */
  readonly slidingWindow?: number
}

/** What PEFT adapts unless it is told otherwise. */
export const LLAMA_DEFAULT_TARGETS = ['q_proj', 'v_proj'] as const

/** The layers that may carry an adapter, in the order in which a token meets them. */
export function llamaLayers(config: LlamaConfig): readonly LinearLayer[] {
  return Array.from({ length: config.layers }, (_, index) => Object.values(layerSizes(config, index)))
    .flat()
    .map(({ name, dIn, dOut }) => ({ name, dIn, dOut }))
}

/**
 * The last hidden states [N, T, width], after the final norm, of token ids [N, T] (int32, `PADDING_ID` after the last
 * token). A token's state depends on itself and on what came before. Names are those of `LlamaForCausalLM`.
 *
 * Throws CONFIG_INVALID where records could be longer than the sliding window, CHECKPOINT_INVALID for tensors that do
 * not fit.
 */
export function llama(
  g: GraphBuilder,
  tokenIds: Value,
  config: LlamaConfig,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  requireWindow(config)
  const { vocabularySize, width, headWidth, maxTokens, ropeTheta: theta, ropeScaling } = config
  const embeddings = frozen(g, checkpoint, 'model.embed_tokens.weight', [vocabularySize, width])
  const tables = rotaryTables(g, tokenIds, {
    headWidth,
    theta,
    maxTokens,
    ...(ropeScaling && { scaling: ropeScaling }),
  })
  const positions = positionsOf(g, tokenIds, maxTokens)
  let hidden = ops.gatherRows(g, embeddings, tokenIds)
  for (let index = 0; index < config.layers; index++) {
    hidden = decoderLayer(g, hidden, { positions, tables }, config, index, checkpoint, adapters)
  }
  return rmsNorm(g, hidden, frozen(g, checkpoint, 'model.norm.weight', [width]), config.rmsNormEpsilon)
}

function decoderLayer(
  g: GraphBuilder,
  x: Value,
  { positions, tables }: { readonly positions: Value; readonly tables: RotaryTables },
  config: LlamaConfig,
  index: number,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const sizes = layerSizes(config, index)
  const project = (layer: ProjectionLayer, input: Value) => projection(g, input, layer, checkpoint, adapters)
  const norm = (name: string, input: Value) => {
    const gain = frozen(g, checkpoint, `model.layers.${index}.${name}.weight`, [config.width])
    return rmsNorm(g, input, gain, config.rmsNormEpsilon)
  }
  const split = (value: Value, heads: number) => ops.reshape(g, value, [BATCH, SEQUENCE, heads, config.headWidth])
  const before = norm('input_layernorm', x)
  const queries = rotate(g, split(project(sizes.queries, before), config.heads), tables)
  const keys = rotate(g, split(project(sizes.keys, before), config.keyValueHeads), tables)
  const values = split(project(sizes.values, before), config.keyValueHeads)
  const attended = ops.add(g, x, project(sizes.out, causalAttention(g, queries, keys, values, positions)))
  const middle = norm('post_attention_layernorm', attended)
  const gated = ops.mul(g, ACTIVATIONS.silu(g, project(sizes.gate, middle)), project(sizes.up, middle))
  return ops.add(g, attended, project(sizes.down, gated))
}

/** `x / sqrt(mean(x^2) + epsilon) * gain` (Zhang and Sennrich 2019, arXiv 1910.07467). */
function rmsNorm(g: GraphBuilder, x: Value, gain: Value, epsilon: number): Value {
  const meanSquare = ops.reduceMean(g, ops.mul(g, x, x), [-1], true)
  return ops.mul(g, ops.div(g, x, ops.sqrt(g, ops.add(g, meanSquare, g.scalar(epsilon)))), gain)
}

/** In the order in which a token meets them. */
function layerSizes(config: LlamaConfig, index: number) {
  const { width, ffnWidth, heads, keyValueHeads, headWidth, attentionBias } = config
  const [attention, mlp] = [`model.layers.${index}.self_attn`, `model.layers.${index}.mlp`]
  const qkv = { dIn: width, bias: attentionBias !== 'none' }
  return {
    queries: { ...qkv, name: `${attention}.q_proj`, dOut: heads * headWidth },
    keys: { ...qkv, name: `${attention}.k_proj`, dOut: keyValueHeads * headWidth },
    values: { ...qkv, name: `${attention}.v_proj`, dOut: keyValueHeads * headWidth },
    out: { name: `${attention}.o_proj`, dIn: heads * headWidth, dOut: width, bias: attentionBias === 'all' },
    gate: { name: `${mlp}.gate_proj`, dIn: width, dOut: ffnWidth, bias: false },
    up: { name: `${mlp}.up_proj`, dIn: width, dOut: ffnWidth, bias: false },
    down: { name: `${mlp}.down_proj`, dIn: ffnWidth, dOut: width, bias: false },
  }
}

function requireWindow({ slidingWindow, maxTokens }: LlamaConfig): void {
  if (slidingWindow === undefined || maxTokens <= slidingWindow) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `maxTokens of at most ${slidingWindow}, the sliding window of this model`,
    got: `${maxTokens}`,
    remedy: 'Lower maxTokens: attention beyond the window is not supported.',
  })
}
