import { sizeOf, type TensorSpec } from '@fedsvd/core/tensor'
import type { Gpt2Config } from '../../../../core/src/models/architectures/gpt2.ts'
import type { LlamaConfig } from '../../../../core/src/models/architectures/llama.ts'
import type { Checkpoint } from '../../../../core/src/models/layers/parameters.ts'
import { wave } from '../autodiff/index.ts'

/** A GPT-2 in miniature. */
export const TINY_GPT2: Gpt2Config = {
  vocabularySize: 19,
  width: 8,
  ffnWidth: 16,
  layers: 2,
  heads: 2,
  positions: 48,
  maxTokens: 48,
  layerNormEpsilon: 1e-5,
}

/**
 * A Llama in miniature: two query heads to a key-value head, heads wider than width / heads, frequencies as in Llama
 * 3.1.
 */
export const TINY_LLAMA: LlamaConfig = {
  vocabularySize: 19,
  width: 8,
  ffnWidth: 12,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headWidth: 4,
  maxTokens: 48,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaxTokens: 32 },
  attentionBias: 'none',
}

/** A Qwen2 in miniature: biases on queries, keys and values. */
export const TINY_QWEN2: LlamaConfig = {
  vocabularySize: 19,
  width: 8,
  ffnWidth: 12,
  layers: 2,
  heads: 2,
  keyValueHeads: 1,
  headWidth: 4,
  maxTokens: 48,
  rmsNormEpsilon: 1e-6,
  ropeTheta: 1_000_000,
  attentionBias: 'qkv',
}

/** Irregular weights for {@link TINY_GPT2}, under the names of `GPT2LMHeadModel`. */
export function tinyGpt2Checkpoint(config = TINY_GPT2): Checkpoint {
  const { vocabularySize, width, ffnWidth, layers, positions } = config
  const layer = (name: string, dIn: number, dOut: number): TensorSpec[] => [
    { name: `${name}.weight`, shape: [dIn, dOut] },
    { name: `${name}.bias`, shape: [dOut] },
  ]
  const norm = (name: string): TensorSpec[] => [
    { name: `${name}.weight`, shape: [width] },
    { name: `${name}.bias`, shape: [width] },
  ]
  const blocks = Array.from({ length: layers }, (_, index) => {
    const name = `transformer.h.${index}`
    return [
      ...norm(`${name}.ln_1`),
      ...layer(`${name}.attn.c_attn`, width, 3 * width),
      ...layer(`${name}.attn.c_proj`, width, width),
      ...norm(`${name}.ln_2`),
      ...layer(`${name}.mlp.c_fc`, width, ffnWidth),
      ...layer(`${name}.mlp.c_proj`, ffnWidth, width),
    ]
  })
  return waveCheckpoint([
    { name: 'transformer.wte.weight', shape: [vocabularySize, width] },
    { name: 'transformer.wpe.weight', shape: [positions, width] },
    ...blocks.flat(),
    ...norm('transformer.ln_f'),
  ])
}

/** Irregular weights for a Llama, under the names of `LlamaForCausalLM`; `tied` leaves `lm_head` out. */
export function tinyLlamaCheckpoint(config: LlamaConfig, tied: boolean): Checkpoint {
  const { vocabularySize, width, ffnWidth, layers, heads, keyValueHeads, headWidth, attentionBias } = config
  const attention = (name: string, dOut: number): TensorSpec[] => [
    { name: `${name}.weight`, shape: [dOut, width] },
    ...(attentionBias === 'none' ? [] : [{ name: `${name}.bias`, shape: [dOut] }]),
  ]
  const blocks = Array.from({ length: layers }, (_, index) => {
    const name = `model.layers.${index}`
    return [
      { name: `${name}.input_layernorm.weight`, shape: [width] },
      ...attention(`${name}.self_attn.q_proj`, heads * headWidth),
      ...attention(`${name}.self_attn.k_proj`, keyValueHeads * headWidth),
      ...attention(`${name}.self_attn.v_proj`, keyValueHeads * headWidth),
      { name: `${name}.self_attn.o_proj.weight`, shape: [width, heads * headWidth] },
      { name: `${name}.post_attention_layernorm.weight`, shape: [width] },
      { name: `${name}.mlp.gate_proj.weight`, shape: [ffnWidth, width] },
      { name: `${name}.mlp.up_proj.weight`, shape: [ffnWidth, width] },
      { name: `${name}.mlp.down_proj.weight`, shape: [width, ffnWidth] },
    ]
  })
  return waveCheckpoint([
    { name: 'model.embed_tokens.weight', shape: [vocabularySize, width] },
    ...blocks.flat(),
    { name: 'model.norm.weight', shape: [width] },
    ...(tied ? [] : [{ name: 'lm_head.weight', shape: [vocabularySize, width] }]),
  ])
}

/** Matrices of amplitude 0.4, biases of 0.3, gains within 0.3 of 1; the key of a tensor is its position in the list. */
function waveCheckpoint(specs: readonly TensorSpec[]): Checkpoint {
  return new Map(
    specs.map((spec, key) => {
      const isGain = spec.shape.length === 1 && spec.name.endsWith('.weight')
      const values = wave(key, sizeOf(spec.shape), spec.shape.length === 2 ? 0.4 : 0.3)
      return [spec.name, { ...spec, data: Float32Array.from(values, (value) => (isGain ? 1 + value : value)) }]
    }),
  )
}
