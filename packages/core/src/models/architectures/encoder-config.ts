import { type ActivationName, activationNamed } from '../layers/activation.ts'
import { type ConfigFields, countOf, epsilonOf, invalidConfig, layersOf, numberOf, textOf } from './config-fields.ts'

/** Encoders that differ in the names of their tensors, in their embeddings and in their heads, and in nothing else. */
export type EncoderFamily = 'bert' | 'roberta' | 'distilbert'

/** The `model_type`s of config.json, and the family of each. MiniLM is a BERT. */
export const ENCODER_FAMILIES = {
  bert: 'bert',
  roberta: 'roberta',
  'xlm-roberta': 'roberta',
  distilbert: 'distilbert',
} as const satisfies Record<string, EncoderFamily>

/**
 * Sizes of an encoder of BERT's kind (Devlin et al. 2019, arXiv 1810.04805): post-norm layers over learned positions.
 */
export interface EncoderConfig {
  readonly family: EncoderFamily
  readonly vocabularySize: number
  readonly width: number
  readonly ffnWidth: number
  readonly heads: number
  readonly layers: number
  /** The longest text: rows of the table of positions from `firstPosition` on. */
  readonly maxTokens: number
  /** Rows of the table of positions before the first token's; RoBERTa counts from behind its padding id. */
  readonly firstPosition: number
  /** Rows of the table of token types; 0 where there is none. */
  readonly tokenTypes: number
  readonly layerNormEpsilon: number
  readonly activation: ActivationName
}

/**
 * Reads the config of an encoder, with the defaults of its family where config.json is silent.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for another model_type, and for what the graph does not have: relative
 *   positions, decoders, activations that are not written here
 */
export function encoderConfig(config: ConfigFields): EncoderConfig {
  const modelType = textOf(config, ['model_type'], '')
  if (!Object.hasOwn(ENCODER_FAMILIES, modelType)) {
    throw invalidConfig(`a model_type among ${Object.keys(ENCODER_FAMILIES).join(', ')}`, modelType)
  }
  const family = ENCODER_FAMILIES[modelType as keyof typeof ENCODER_FAMILIES]
  const positionType = textOf(config, ['position_embedding_type'], 'absolute')
  if (positionType !== 'absolute') throw invalidConfig('"absolute" as position_embedding_type', positionType)
  if (config.is_decoder === true) throw invalidConfig('an encoder (is_decoder false)', config.is_decoder)
  const [width, heads] = [countOf(config, 'hidden_size', 'dim'), countOf(config, 'num_attention_heads', 'n_heads')]
  if (width % heads !== 0) throw invalidConfig(`a width that ${heads} heads divide`, width)
  const positions = countOf(config, 'max_position_embeddings')
  const firstPosition = family === 'roberta' ? 1 + paddingOf(config, positions) : 0
  return {
    family,
    vocabularySize: countOf(config, 'vocab_size'),
    width,
    heads,
    ffnWidth: countOf(config, 'intermediate_size', 'hidden_dim'),
    layers: layersOf(config, 'num_hidden_layers', 'n_layers'),
    maxTokens: positions - firstPosition,
    firstPosition,
    tokenTypes: family === 'distilbert' ? 0 : numberOf(config, 'type_vocab_size', 2),
    layerNormEpsilon: epsilonOf(config, 'layer_norm_eps', 1e-12),
    activation: activationNamed(textOf(config, ['hidden_act', 'activation'], 'gelu')),
  }
}

/** The padding id of a RoBERTa, behind which its positions begin: at least one has to be left. */
function paddingOf(config: ConfigFields, positions: number): number {
  const padding = numberOf(config, 'pad_token_id', 1)
  if (Number.isInteger(padding) && padding >= 0 && padding + 1 < positions) return padding
  throw invalidConfig(`a pad_token_id from 0 to ${positions - 2}, below max_position_embeddings`, padding)
}
