import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, canonicalSchema, type Task } from '@fedsvd/core/lora'
import {
  type ConfigFields,
  DECODER_TYPES,
  decoderConfig,
  ENCODER_FAMILIES,
  encoderConfig,
  invalidConfig,
} from '@fedsvd/core/models'
import { createDecoderEngine, decoderSchema } from './decoder.ts'
import {
  createEncoderEngine,
  type EncoderAdapterOptions,
  type EncoderCheckpoint,
  type EncoderEngineOptions,
  encoderSchema,
} from './encoder.ts'
import { createEncoderTagger } from './encoder-tagger.ts'
import { requireKnownAnswers } from './known-answers.ts'
import type { TaskEngine } from './training-engine.ts'

/** The public terms of a run on a checkpoint, of whatever architecture. */
export type CheckpointAdapterOptions = EncoderAdapterOptions

export interface CheckpointEngineOptions extends EncoderEngineOptions {
  /** Default: sequence classification. */
  readonly task?: Task | undefined
}

/*
 * What a run needs of a checkpoint, whatever its architecture: config.json decides. docs/how-to/add-an-architecture.md
 * says what a new one takes.
 */

/**
 * The schema of a run on a checkpoint, from its config alone.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for an architecture that is not supported, ADAPTER_INVALID for a rank or
 *   targets that fit no layer
 */
export function checkpointSchema(config: ConfigFields, options: CheckpointAdapterOptions): AdapterSchema {
  requireSupported(config)
  if (isDecoder(config)) return decoderSchema(decoderConfig(config), options)
  return encoderSchema(encoderConfig(config), options)
}

/** How many token ids a checkpoint knows. @throws FedsvdError CHECKPOINT_INVALID */
export function vocabularySizeOf(config: ConfigFields): number {
  requireSupported(config)
  return isDecoder(config) ? decoderConfig(config).sizes.vocabularySize : encoderConfig(config).vocabularySize
}

/** The longest text that a checkpoint takes, in tokens. @throws FedsvdError CHECKPOINT_INVALID */
export function longestText(config: ConfigFields): number {
  requireSupported(config)
  return isDecoder(config) ? decoderConfig(config).sizes.maxTokens : encoderConfig(config).maxTokens
}

/**
 * The private training step and inference on a checkpoint.
 *
 * @throws FedsvdError ADAPTER_INVALID for a schema that is not the checkpoint's, CONFIG_INVALID, CHECKPOINT_INVALID or
 *   RUNTIME_UNAVAILABLE
 */
export async function createCheckpointEngine(
  checkpoint: EncoderCheckpoint,
  options: CheckpointEngineOptions,
): Promise<TaskEngine> {
  const { task, schema, classes } = options
  const tested = { requireKnownAnswers, ...options }
  const { rank, alpha, headMode, layers } = schema
  const targets = layers.map(({ name }) => name)
  if (
    canonicalSchema(checkpointSchema(checkpoint.config, { task, rank, alpha, headMode, classes, targets })) !==
    canonicalSchema(schema)
  ) {
    throw new FedsvdError('ADAPTER_INVALID', {
      expected: 'adapters and a head of the sizes that the checkpoint has',
      got: 'a schema with other layers or sizes',
      remedy: 'Let the coordinator make the schema from the model',
    })
  }
  if (isDecoder(checkpoint.config)) return await createDecoderEngine(checkpoint, tested)
  if (task === 'token-classification') return await createEncoderTagger(checkpoint, tested)
  return await createEncoderEngine(checkpoint, tested)
}

/** @throws FedsvdError CHECKPOINT_INVALID for another architecture, and for weights that are quantised */
function requireSupported({ model_type: type, quantization_config: quantised }: ConfigFields): void {
  const supported: readonly unknown[] = [...Object.keys(ENCODER_FAMILIES), ...DECODER_TYPES]
  if (!supported.includes(type)) throw invalidConfig(`a model_type among ${supported.join(', ')}`, type)
  if (quantised !== undefined && quantised !== null) {
    const { quant_method: method = 'of an unnamed method' } = quantised as ConfigFields
    throw invalidConfig('weights that are not quantised', `quantization_config ${String(method)}`)
  }
}

export function isDecoder({ model_type: type }: ConfigFields): boolean {
  return (DECODER_TYPES as readonly unknown[]).includes(type)
}
