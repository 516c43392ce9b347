import type { Llama3Scaling } from '../layers/rotary.ts'
import { type ConfigFields, countOf, epsilonOf, invalidConfig, layersOf, numberOf, textOf } from './config-fields.ts'
import type { Gpt2Config } from './gpt2.ts'
import type { LlamaConfig } from './llama.ts'

/** The `model_type`s of config.json whose decoders are written here. SmolLM is a `llama`. */
export const DECODER_TYPES = ['gpt2', 'llama', 'mistral', 'qwen2'] as const
export type DecoderType = (typeof DECODER_TYPES)[number]

/** A decoder as config.json describes it. `tied`: the output embeddings are the input embeddings. */
export type DecoderConfig =
  | { readonly family: 'gpt2'; readonly tied: boolean; readonly sizes: Gpt2Config }
  | { readonly family: 'llama'; readonly tied: boolean; readonly sizes: LlamaConfig }

/**
 * Reads the config of a decoder, with the defaults of its type where config.json is silent.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for another model_type, and for what the graph does not have
 */
export function decoderConfig(config: ConfigFields): DecoderConfig {
  const modelType = textOf(config, ['model_type'], '')
  if (!(DECODER_TYPES as readonly string[]).includes(modelType)) {
    throw invalidConfig(`a model_type among ${DECODER_TYPES.join(', ')}`, modelType)
  }
  const tied = flagOf(config, 'tie_word_embeddings', modelType === 'gpt2')
  if (modelType === 'gpt2') return { family: 'gpt2', tied, sizes: gpt2Sizes(config) }
  return { family: 'llama', tied, sizes: llamaSizes(config, modelType as Exclude<DecoderType, 'gpt2'>) }
}

function gpt2Sizes(config: ConfigFields): Gpt2Config {
  require(config, 'activation_function', 'gelu_new')
  require(config, 'scale_attn_weights', true)
  require(config, 'scale_attn_by_inverse_layer_idx', false)
  require(config, 'add_cross_attention', false)
  const [width, heads] = [countOf(config, 'n_embd'), countOf(config, 'n_head')]
  if (width % heads !== 0) throw invalidConfig(`a width that ${heads} heads divide`, width)
  const positions = countOf(config, 'n_positions', 'n_ctx')
  return {
    vocabularySize: countOf(config, 'vocab_size'),
    width,
    ffnWidth: numberOf(config, 'n_inner', 4 * width),
    layers: layersOf(config, 'n_layer'),
    heads,
    positions,
    maxTokens: positions,
    layerNormEpsilon: epsilonOf(config, 'layer_norm_epsilon', 1e-5),
  }
}

function llamaSizes(config: ConfigFields, modelType: Exclude<DecoderType, 'gpt2'>): LlamaConfig {
  require(config, 'hidden_act', 'silu')
  require(config, 'mlp_bias', false)
  const [width, heads] = [countOf(config, 'hidden_size'), countOf(config, 'num_attention_heads')]
  const keyValueHeads = numberOf(config, 'num_key_value_heads', modelType === 'mistral' ? 8 : heads)
  if (heads % keyValueHeads !== 0) throw invalidConfig(`num_key_value_heads that divide ${heads} heads`, keyValueHeads)
  const headWidth = numberOf(config, 'head_dim', width / heads)
  if (!Number.isInteger(headWidth / 2)) throw invalidConfig('heads of an even width', headWidth)
  const rope = objectOf(config, 'rope_parameters') ?? objectOf(config, 'rope_scaling') ?? {}
  const scaling = ropeScaling(rope)
  const window = slidingWindow(config, modelType)
  return {
    vocabularySize: countOf(config, 'vocab_size'),
    width,
    ffnWidth: countOf(config, 'intermediate_size'),
    layers: layersOf(config, 'num_hidden_layers'),
    heads,
    keyValueHeads,
    headWidth,
    maxTokens: countOf(config, 'max_position_embeddings'),
    rmsNormEpsilon: epsilonOf(config, 'rms_norm_eps', 1e-6),
    ropeTheta: numberOf(rope, 'rope_theta', numberOf(config, 'rope_theta', 10_000)),
    ...(scaling && { ropeScaling: scaling }),
    attentionBias: modelType === 'qwen2' ? 'qkv' : flagOf(config, 'attention_bias', false) ? 'all' : 'none',
    ...(window !== undefined && { slidingWindow: window }),
  }
}

/** `rope_scaling` of older files, `rope_parameters` of newer ones. */
function ropeScaling(rope: ConfigFields): Llama3Scaling | undefined {
  const type = textOf(rope, ['rope_type', 'type'], 'default')
  if (type === 'default') return undefined
  if (type !== 'llama3') throw invalidConfig('"default" or "llama3" as rope_type', type)
  return {
    factor: numberOf(rope, 'factor', 1),
    lowFrequencyFactor: numberOf(rope, 'low_freq_factor', 1),
    highFrequencyFactor: numberOf(rope, 'high_freq_factor', 4),
    originalMaxTokens: countOf(rope, 'original_max_position_embeddings'),
  }
}

/** In Qwen2 the window counts only where `use_sliding_window` is set; in Mistral where it is a number. */
function slidingWindow(config: ConfigFields, modelType: DecoderType): number | undefined {
  const inUse = modelType === 'mistral' || (modelType === 'qwen2' && flagOf(config, 'use_sliding_window', false))
  return inUse && typeof config.sliding_window === 'number' ? config.sliding_window : undefined
}

function require(config: ConfigFields, name: string, value: string | boolean): void {
  const found = config[name] ?? value
  if (found !== value) throw invalidConfig(`${JSON.stringify(value)} as ${name}`, found)
}

function flagOf(config: ConfigFields, name: string, otherwise: boolean): boolean {
  const value = config[name] ?? otherwise
  if (typeof value === 'boolean') return value
  throw invalidConfig(`true or false as ${name}`, value)
}

function objectOf(config: ConfigFields, name: string): ConfigFields | undefined {
  const value = config[name]
  return typeof value === 'object' && value !== null ? (value as ConfigFields) : undefined
}
