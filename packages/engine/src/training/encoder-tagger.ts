import { encoderConfig, encoderStates, encoderTags, type TokenModel } from '@fedsvd/core/models'
import { checkMaxTokens } from './checks.ts'
import { type EncoderCheckpoint, type EncoderEngineOptions, encoderTensors } from './encoder.ts'
import { selfTested } from './self-test.ts'
import { maxTokensPerMicroBatchFor, tokenEngine } from './token-engine.ts'
import type { TokenEngine } from './training-engine.ts'

/** An encoder with its tensors and its head of tags, as graphs are made of. @throws FedsvdError CHECKPOINT_INVALID */
export async function encoderTagModel(
  checkpoint: EncoderCheckpoint,
  { schema, classes }: Pick<EncoderEngineOptions, 'schema' | 'classes'>,
): Promise<TokenModel> {
  const config = encoderConfig(checkpoint.config)
  const tensors = await encoderTensors(config, checkpoint)
  return {
    layers: schema.layers,
    rank: schema.rank,
    scale: schema.alpha / schema.rank,
    width: config.width,
    maxTokens: config.maxTokens,
    output: encoderTags(classes),
    encode: (g, tokenIds, adapters, typeIds) => encoderStates(g, { tokenIds, typeIds }, config, tensors, adapters),
  }
}

/**
 * The private training step and inference for token classification on an encoder of BERT's family.
 *
 * @throws FedsvdError CONFIG_INVALID, CHECKPOINT_INVALID or RUNTIME_UNAVAILABLE
 */
export async function createEncoderTagger(
  checkpoint: EncoderCheckpoint,
  options: Omit<EncoderEngineOptions, 'featureScale'>,
): Promise<TokenEngine> {
  const config = encoderConfig(checkpoint.config)
  const {
    schema,
    classes,
    maxTokens = config.maxTokens,
    maxTokensPerMicroBatch = maxTokensPerMicroBatchFor(classes),
  } = options
  checkMaxTokens(maxTokens, config.maxTokens)
  const limits = { maxTokens, positions: config.maxTokens, vocabularySize: config.vocabularySize, classes }
  const model = await encoderTagModel(checkpoint, options)
  return await selfTested(options, { ...limits, answer: 'targets' }, (createRunner) =>
    tokenEngine({ model, schema, limits, maxTokensPerMicroBatch, createRunner }),
  )
}
