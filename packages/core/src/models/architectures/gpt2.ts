import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'
import { ACTIVATIONS } from '../layers/activation.ts'
import { causalAttention, positionsOf } from '../layers/causal-attention.ts'
import { type LoraAdapters, linear } from '../layers/linear.ts'
import type { LinearLayer } from '../layers/linear-layer.ts'
import { type Checkpoint, frozen } from '../layers/parameters.ts'

/**
 * Sizes of a GPT-2 (Radford et al. 2019). Its feed-forward layer is four times as wide unless `n_inner` says otherwise.
 */
export interface Gpt2Config {
  readonly vocabularySize: number
  readonly width: number
  readonly ffnWidth: number
  readonly layers: number
  readonly heads: number
  /** Rows of the table of learned positions. */
  readonly positions: number
  /** The longest record of a run, at most `positions`. */
  readonly maxTokens: number
  readonly layerNormEpsilon: number
}

/** What PEFT adapts unless it is told otherwise: queries, keys and values in one. */
export const GPT2_DEFAULT_TARGETS = ['c_attn'] as const

/** Whether the weight of a layer is stored as [dIn, dOut]: those of GPT-2 are (its `Conv1D`), and no others. */
export function storesInputsFirst(layer: string): boolean {
  return /^transformer\.h\.\d+\.(attn|mlp)\.c_/.test(layer)
}

/**
 * The layers that may carry an adapter, in the order in which a token meets them. All are stored as [dIn, dOut] (PEFT's
 * `fan_in_fan_out`).
 */
export function gpt2Layers(config: Gpt2Config): readonly LinearLayer[] {
  return Array.from({ length: config.layers }, (_, index) => Object.values(layerSizes(config, index))).flat()
}

/**
 * The last hidden states [N, T, width], after the final norm, of token ids [N, T] (int32, `PADDING_ID` after the last
 * token). A token's state depends on itself and on what came before. Names are those of `GPT2LMHeadModel`.
 *
 * Throws CHECKPOINT_INVALID for tensors that do not fit.
 */
export function gpt2(
  g: GraphBuilder,
  tokenIds: Value,
  config: Gpt2Config,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const { vocabularySize, width, positions } = config
  const embeddings = frozen(g, checkpoint, 'transformer.wte.weight', [vocabularySize, width])
  const places = frozen(g, checkpoint, 'transformer.wpe.weight', [positions, width])
  const order = positionsOf(g, tokenIds, config.maxTokens)
  let hidden = ops.add(g, ops.gatherRows(g, embeddings, tokenIds), ops.firstRows(g, places, tokenIds, 1))
  for (let index = 0; index < config.layers; index++) {
    hidden = block(g, hidden, order, config, index, checkpoint, adapters)
  }
  return norm(g, hidden, 'transformer.ln_f', config, checkpoint)
}

function block(
  g: GraphBuilder,
  x: Value,
  positions: Value,
  config: Gpt2Config,
  index: number,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const { width, heads } = config
  const sizes = layerSizes(config, index)
  const project = (layer: LinearLayer, input: Value) => linear(g, input, layer, checkpoint, adapters)
  const normed = (name: string, input: Value) => norm(g, input, `transformer.h.${index}.${name}`, config, checkpoint)
  const [queries, keys, values] = ops
    .split(g, project(sizes.attention, normed('ln_1', x)), -1, [width, width, width])
    .map((part) => ops.reshape(g, part, [BATCH, SEQUENCE, heads, width / heads])) as [Value, Value, Value]
  const attended = ops.add(g, x, project(sizes.out, causalAttention(g, queries, keys, values, positions)))
  const inner = ACTIVATIONS.gelu_new(g, project(sizes.expand, normed('ln_2', attended)))
  return ops.add(g, attended, project(sizes.contract, inner))
}

function norm(g: GraphBuilder, x: Value, name: string, config: Gpt2Config, checkpoint: Checkpoint): Value {
  const parameter = (part: string) => frozen(g, checkpoint, `${name}.${part}`, [config.width])
  return ops.layerNorm(g, x, parameter('weight'), parameter('bias'), config.layerNormEpsilon)
}

/** In the order in which a token meets them. */
function layerSizes({ width, ffnWidth }: Gpt2Config, index: number) {
  const name = `transformer.h.${index}`
  return {
    attention: { name: `${name}.attn.c_attn`, dIn: width, dOut: 3 * width },
    out: { name: `${name}.attn.c_proj`, dIn: width, dOut: width },
    expand: { name: `${name}.mlp.c_fc`, dIn: width, dOut: ffnWidth },
    contract: { name: `${name}.mlp.c_proj`, dIn: ffnWidth, dOut: width },
  }
}
