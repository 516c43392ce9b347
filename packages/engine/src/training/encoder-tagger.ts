import { encoderConfig, encoderStates, encoderTags, type TokenModel } from '@fedsvd/core/models'
import { checkMaxTokens } from './checks.ts'
import { type EncoderCheckpoint, type EncoderEngineOptions, encoderTensors } from './encoder.ts'
import { selfTested } from './self-test.ts'
import { maxTokensPerMicroBatchFor, tokenEngine } from './token-engine.ts'
import type { TokenEngine } from './training-engine.ts'

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
  const tensors = await encoderTensors(config, checkpoint)
  const limits = { maxTokens, positions: config.maxTokens, vocabularySize: config.vocabularySize, classes }
  const model: TokenModel = {
    layers: schema.layers,
    rank: schema.rank,
    scale: schema.alpha / schema.rank,
    width: config.width,
    maxTokens: config.maxTokens,
    output: encoderTags(classes),
    encode: (g, tokenIds, adapters, typeIds) => encoderStates(g, { tokenIds, typeIds }, config, tensors, adapters),
  }
  return await selfTested(options, { ...limits, answer: 'targets' }, (createRunner) =>
    tokenEngine({ model, schema, limits, maxTokensPerMicroBatch, createRunner }),
  )
}
