import type { NamedTensor, TensorSpec } from '@fedsvd/core/tensor'
import type { Checkpoint } from '../../../../core/src/models/layers/parameters.ts'
import type { StarterEncoderConfig } from '../../../../starter/src/encoder.ts'
import { waveNamed } from './wave-named.ts'

export { waveNamed } from './wave-named.ts'

/** The starter encoder in miniature: small enough for finite differences, with the same parts in the same places. */
export const TINY_ENCODER: StarterEncoderConfig = {
  vocabularySize: 11,
  embeddingWidth: 4,
  width: 8,
  ffnWidth: 12,
  heads: 2,
  layers: 2,
  maxTokens: 6,
}

/** A checkpoint for {@link TINY_ENCODER} or another size: irregular weights of moderate size, gains near 1. */
export function tinyCheckpoint(config = TINY_ENCODER): Checkpoint {
  return new Map(checkpointSpecs(config).map((spec, index) => [spec.name, waveWeights(spec, index)]))
}

function waveWeights(spec: TensorSpec, index: number): NamedTensor {
  if (spec.name === 'positions.frequencies')
    return { ...spec, data: Float32Array.from({ length: spec.shape[0]! }, (_, index) => 0.3 ** index) }
  const tensor = waveNamed(index, spec, spec.shape.length === 2 ? 0.9 / Math.sqrt(spec.shape[0]!) : 0.3)
  return spec.name.endsWith('norm.weight') ? { ...tensor, data: tensor.data.map((value) => 1 + value) } : tensor
}

function checkpointSpecs({
  vocabularySize,
  embeddingWidth,
  width,
  ffnWidth,
  layers,
}: StarterEncoderConfig): TensorSpec[] {
  const linear = (name: string, dIn: number, dOut: number): TensorSpec[] => [
    { name: `${name}.weight`, shape: [dIn, dOut] },
    { name: `${name}.bias`, shape: [dOut] },
  ]
  const norm = (name: string, size: number): TensorSpec[] => [
    { name: `${name}.norm.weight`, shape: [size] },
    { name: `${name}.norm.bias`, shape: [size] },
  ]
  return [
    { name: 'embeddings.weight', shape: [vocabularySize, embeddingWidth] },
    { name: 'positions.frequencies', shape: [embeddingWidth / 2] },
    ...linear('encoder.layer.0.residual', embeddingWidth, width),
    ...Array.from({ length: layers }, (_, index) => {
      const name = `encoder.layer.${index}`
      const dIn = index === 0 ? embeddingWidth : width
      return [
        ...norm(`${name}.attention`, dIn),
        ...linear(`${name}.attention.qkv`, dIn, 3 * dIn),
        ...linear(`${name}.attention.out`, dIn, width),
        ...norm(`${name}.ffn`, width),
        ...linear(`${name}.ffn.conv1`, width, ffnWidth),
        ...linear(`${name}.ffn.conv2`, ffnWidth, width),
      ]
    }).flat(),
    ...linear('pooler.dense', width, width),
  ]
}

export * from './decoders.ts'
export * from './encoders.ts'
export * from './gradients.ts'
