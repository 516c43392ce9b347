import type { TensorSpec } from '@fedsvd/core/tensor'
import { encoderLayers } from '../../../../core/src/models/architectures/encoder.ts'
import { type EncoderConfig, encoderConfig } from '../../../../core/src/models/architectures/encoder-config.ts'
import type { Checkpoint } from '../../../../core/src/models/layers/parameters.ts'
import { waveNamed } from './wave-named.ts'

const SIZES = {
  vocab_size: 11,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 6,
}

/** config.json of the encoder families in miniature: small enough for finite differences. */
export const TINY_ENCODERS = {
  bert: { model_type: 'bert', ...SIZES },
  roberta: { model_type: 'roberta', ...SIZES, max_position_embeddings: 8, type_vocab_size: 1, layer_norm_eps: 1e-5 },
  distilbert: {
    model_type: 'distilbert',
    vocab_size: 11,
    dim: 8,
    n_layers: 2,
    n_heads: 2,
    hidden_dim: 12,
    max_position_embeddings: 6,
  },
} as const

/** Irregular weights of moderate size under the names of Hugging Face's checkpoints, gains near 1. */
export function tinyEncoder(family: keyof typeof TINY_ENCODERS): {
  readonly config: EncoderConfig
  readonly checkpoint: Checkpoint
} {
  const config = encoderConfig(TINY_ENCODERS[family])
  return { config, checkpoint: encoderWeights(config) }
}

/** The same for an encoder of any size. */
export function encoderWeights(config: EncoderConfig): Checkpoint {
  const specs = [...embeddingSpecs(config), ...encoderLayers(config).flatMap(linearSpecs), ...normSpecs(config)]
  const tensors = specs.map((spec, index) => {
    const tensor = waveNamed(index, spec, spec.shape.length === 2 ? 0.9 / Math.sqrt(spec.shape[1]!) : 0.3)
    const isGain = /norm\.weight$/i.test(spec.name)
    return isGain ? { ...tensor, data: tensor.data.map((value) => 1 + value) } : tensor
  })
  return new Map(tensors.map((tensor) => [tensor.name, tensor]))
}

function embeddingSpecs({ family, vocabularySize, width, firstPosition, maxTokens, tokenTypes }: EncoderConfig) {
  const table = (name: string, rows: number): TensorSpec => ({
    name: `${family}.embeddings.${name}_embeddings.weight`,
    shape: [rows, width],
  })
  const types = tokenTypes > 0 ? [table('token_type', tokenTypes)] : []
  return [table('word', vocabularySize), table('position', firstPosition + maxTokens), ...types]
}

function linearSpecs({ name, dIn, dOut }: { name: string; dIn: number; dOut: number }): TensorSpec[] {
  return [
    { name: `${name}.weight`, shape: [dOut, dIn] },
    { name: `${name}.bias`, shape: [dOut] },
  ]
}

function normSpecs({ family, layers, width }: EncoderConfig): TensorSpec[] {
  const inLayer =
    family === 'distilbert'
      ? ['sa_layer_norm', 'output_layer_norm']
      : ['attention.output.LayerNorm', 'output.LayerNorm']
  const stack = family === 'distilbert' ? 'transformer.layer' : 'encoder.layer'
  const names = Array.from({ length: layers }, (_, index) =>
    inLayer.map((norm) => `${family}.${stack}.${index}.${norm}`),
  )
  return [`${family}.embeddings.LayerNorm`, ...names.flat()].flatMap((name) => [
    { name: `${name}.weight`, shape: [width] },
    { name: `${name}.bias`, shape: [width] },
  ])
}
