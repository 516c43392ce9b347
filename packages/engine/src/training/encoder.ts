import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, checkSchema, predictsTokens, type Task } from '@fedsvd/core/lora'
import {
  type Checkpoint,
  type ClassifierModel,
  type ConfigFields,
  ENCODER_DEFAULT_TARGETS,
  type EncoderConfig,
  encoderConfig,
  encoderFeatures,
  encoderHead,
  encoderLayers,
  encoderTags,
  encoderTensorName,
  targetedLayers,
  tokenHeadSpecs,
} from '@fedsvd/core/models'
import { MANIFEST_DEFAULTS } from '@fedsvd/core/protocol'
import type { TensorSpec } from '@fedsvd/core/tensor'
import { checkMaxTokens } from './checks.ts'
import { classifierEngine } from './classifier-engine.ts'
import { type SelfTestSettings, selfTested } from './self-test.ts'
import type { TrainingEngine } from './training-engine.ts'

/** What is adapted, and how: the public terms of a run on a checkpoint. */
export interface EncoderAdapterOptions {
  /** Default: sequence classification. */
  readonly task?: Task | undefined
  readonly rank: number
  readonly alpha: number
  readonly headMode: AdapterSchema['headMode']
  readonly classes: number
  /** PEFT's `target_modules`: names of linear layers, or endings of them. Default: PEFT's, queries and values. */
  readonly targets?: readonly string[] | undefined
}

export interface EncoderEngineOptions extends SelfTestSettings {
  readonly schema: AdapterSchema
  readonly classes: number
  /** Longest record; default: as many as the checkpoint has positions. */
  readonly maxTokens?: number | undefined
  /** Multiplies what the head's output layer sees. */
  readonly featureScale?: number | undefined
  readonly maxTokensPerMicroBatch?: number
}

/** A checkpoint whose config says what it is and whose tensors are read when they are needed. */
export interface EncoderCheckpoint {
  readonly config: ConfigFields
  tensors(keep: (name: string) => boolean): Promise<Checkpoint>
}

/** As for the starter encoder: enough places to keep the products busy, few enough that blank rows cost little. */
const MAX_PLACES = 256

/**
 * The schema of a run on a checkpoint, from its config alone: PEFT's names, the head as Hugging Face has it.
 *
 * @throws FedsvdError ADAPTER_INVALID for a rank or targets that fit no layer, CONFIG_INVALID for a task of decoders
 */
export function encoderSchema(config: EncoderConfig, options: EncoderAdapterOptions): AdapterSchema {
  const { rank, alpha, headMode, targets = ENCODER_DEFAULT_TARGETS[config.family] } = options
  const layers = targetedLayers(encoderLayers(config), targets)
  const schema = { rank, alpha, layers, head: headOf(config, options), headMode }
  checkSchema(schema)
  return schema
}

function headOf(config: EncoderConfig, { task, classes }: EncoderAdapterOptions): readonly TensorSpec[] {
  if (task === 'token-classification') return tokenHeadSpecs(encoderTags(classes), config.width)
  if (task === undefined || !predictsTokens(task)) return encoderHead(config, classes).specs
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'sequence-classification or token-classification as the task of an encoder',
    got: task,
    remedy: 'Name a decoder, such as a GPT-2 or a Llama, to predict tokens.',
  })
}

/** The tensors of an encoder under the names that its graph uses; heads and what else a file holds are left out. */
export async function encoderTensors(
  config: EncoderConfig,
  { tensors }: Pick<EncoderCheckpoint, 'tensors'>,
): Promise<Checkpoint> {
  const isPart = (name: string) => encoderTensorName(config, name).startsWith(`${config.family}.`)
  const found = await tensors(isPart)
  return new Map([...found].map(([name, tensor]) => [encoderTensorName(config, name), tensor]))
}

/** An encoder with its tensors and its head, as graphs are made of. @throws FedsvdError CHECKPOINT_INVALID */
export async function encoderClassifier(
  checkpoint: EncoderCheckpoint,
  {
    schema,
    classes,
    featureScale = MANIFEST_DEFAULTS.featureScale,
  }: Pick<EncoderEngineOptions, 'schema' | 'classes' | 'featureScale'>,
): Promise<ClassifierModel> {
  const config = encoderConfig(checkpoint.config)
  const tensors = await encoderTensors(config, checkpoint)
  return {
    layers: schema.layers,
    rank: schema.rank,
    scale: schema.alpha / schema.rank,
    featureWidth: config.width,
    featureScale,
    classes,
    head: encoderHead(config, classes),
    encode: (g, tokenIds, adapters, typeIds) => encoderFeatures(g, { tokenIds, typeIds }, config, tensors, adapters),
  }
}

/**
 * The private training step and inference on an encoder of BERT's family. Reads the checkpoint's tensors; each of the
 * two graphs is made ready when it is first used.
 *
 * @throws FedsvdError CONFIG_INVALID, CHECKPOINT_INVALID or RUNTIME_UNAVAILABLE
 */
export async function createEncoderEngine(
  checkpoint: EncoderCheckpoint,
  options: EncoderEngineOptions,
): Promise<TrainingEngine> {
  const config = encoderConfig(checkpoint.config)
  const { schema, classes, featureScale, maxTokens = config.maxTokens, maxTokensPerMicroBatch = MAX_PLACES } = options
  checkMaxTokens(maxTokens, config.maxTokens)
  const model = await encoderClassifier(checkpoint, { schema, classes, featureScale })
  const limits = { maxTokens, positions: config.maxTokens, vocabularySize: config.vocabularySize, classes }
  return await selfTested(options, { ...limits, answer: 'label' }, (createRunner) =>
    classifierEngine({ model, schema, limits, maxTokensPerMicroBatch, createRunner }),
  )
}
