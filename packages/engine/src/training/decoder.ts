import { type AdapterSchema, checkSchema, DEFAULT_TASK, predictsTokens, type Task } from '@fedsvd/core/lora'
import {
  type Checkpoint,
  type ClassifierModel,
  type ConfigFields,
  type DecoderConfig,
  decoderConfig,
  decoderDefaultTargets,
  decoderFeatures,
  decoderLayers,
  decoderStates,
  decoderTagHead,
  decoderTensorName,
  outputEmbeddings,
  scoreHead,
  type TokenModel,
  type TokenOutput,
  targetedLayers,
  tokenHeadSpecs,
  withMaxTokens,
} from '@fedsvd/core/models'
import { MANIFEST_DEFAULTS } from '@fedsvd/core/protocol'
import { checkMaxTokens } from './checks.ts'
import { classifierEngine } from './classifier-engine.ts'
import { type SelfTestSettings, selfTested } from './self-test.ts'
import { maxTokensPerMicroBatchFor, tokenEngine } from './token-engine.ts'
import type { TaskEngine } from './training-engine.ts'

/** What is adapted, and how: the public terms of a run on a checkpoint. */
export interface DecoderAdapterOptions {
  /** Default: sequence classification. */
  readonly task?: Task | undefined
  readonly rank: number
  readonly alpha: number
  readonly headMode: AdapterSchema['headMode']
  /** Labels or tags; 0 where the task predicts tokens. */
  readonly classes: number
  /** PEFT's `target_modules`: names of linear layers, or endings of them. Default: PEFT's for the model. */
  readonly targets?: readonly string[] | undefined
}

export interface DecoderEngineOptions extends SelfTestSettings {
  /** Default: sequence classification. */
  readonly task?: Task | undefined
  readonly schema: AdapterSchema
  readonly classes: number
  /** Longest record; default: as many as the checkpoint has positions. */
  readonly maxTokens?: number | undefined
  /** Multiplies what the head of a sequence classifier sees. */
  readonly featureScale?: number | undefined
  readonly maxTokensPerMicroBatch?: number
}

/** A checkpoint whose config says what it is and whose tensors are read when they are needed. */
export interface DecoderCheckpoint {
  readonly config: ConfigFields
  tensors(keep: (name: string) => boolean): Promise<Checkpoint>
}

/** Lengths are padded to multiples of this many places; the tables of positions must reach as far. */
const PADDED = 16

/**
 * The schema of a run on a checkpoint, from its config alone: PEFT's names, the head as Hugging Face has it. Where
 * tokens are predicted there is no head, and the factors alone are trained.
 *
 * @throws FedsvdError ADAPTER_INVALID for a rank or targets that fit no layer
 */
export function decoderSchema(config: DecoderConfig, options: DecoderAdapterOptions): AdapterSchema {
  const { task = DEFAULT_TASK, rank, alpha, headMode, classes, targets = decoderDefaultTargets(config) } = options
  const layers = targetedLayers(decoderLayers(config), targets)
  const { width } = config.sizes
  const heads = {
    'sequence-classification': () => scoreHead(width, classes).specs,
    'token-classification': () => tokenHeadSpecs(tagsOf(config, classes), width),
    'causal-lm': () => [],
    'instruction-tuning': () => [],
  }
  const schema = { rank, alpha, layers, head: heads[task](), headMode }
  checkSchema(schema)
  return schema
}

/** The tensors of a decoder under the names that its graph uses; heads and what else a file holds are left out. */
export async function decoderTensors(
  config: DecoderConfig,
  { tensors }: Pick<DecoderCheckpoint, 'tensors'>,
): Promise<Checkpoint> {
  const found = await tensors((name) => decoderTensorName(config, name) !== undefined)
  return new Map([...found].map(([name, tensor]) => [decoderTensorName(config, name)!, tensor]))
}

/** A decoder as graphs are made of, by what its task asks: one vector of a text, or something about each token. */
export type DecoderModel = { readonly classifier: ClassifierModel } | { readonly tokens: TokenModel }

/**
 * A decoder with its tensors and its head, for texts of at most `positions` tokens.
 *
 * @throws FedsvdError CHECKPOINT_INVALID
 */
export async function decoderModel(
  checkpoint: DecoderCheckpoint,
  {
    task = DEFAULT_TASK,
    schema,
    classes,
    featureScale = MANIFEST_DEFAULTS.featureScale,
  }: Pick<DecoderEngineOptions, 'task' | 'schema' | 'classes' | 'featureScale'>,
  positions: number,
): Promise<DecoderModel> {
  const config = withMaxTokens(decoderConfig(checkpoint.config), positions)
  const { width } = config.sizes
  const tensors = await decoderTensors(config, checkpoint)
  const adapted = { layers: schema.layers, rank: schema.rank, scale: schema.alpha / schema.rank }
  if (task === 'sequence-classification') {
    const classifier: ClassifierModel = {
      ...adapted,
      featureWidth: width,
      featureScale,
      classes,
      head: scoreHead(width, classes),
      encode: (g, tokenIds, adapters) => decoderFeatures(g, tokenIds, config, tensors, adapters),
    }
    return { classifier }
  }
  const tokens: TokenModel = {
    ...adapted,
    width,
    maxTokens: positions,
    output: predictsTokens(task)
      ? { kind: 'vocabulary', table: outputEmbeddings(config, tensors) }
      : tagsOf(config, classes),
    encode: (g, tokenIds, adapters) => decoderStates(g, tokenIds, config, tensors, adapters),
  }
  return { tokens }
}

/**
 * The private training step and inference on a decoder, for any task. Reads the checkpoint's tensors; each of the two
 * graphs is made ready when it is first used.
 *
 * @throws FedsvdError CONFIG_INVALID, CHECKPOINT_INVALID or RUNTIME_UNAVAILABLE
 */
export async function createDecoderEngine(
  checkpoint: DecoderCheckpoint,
  options: DecoderEngineOptions,
): Promise<TaskEngine> {
  const { sizes } = decoderConfig(checkpoint.config)
  const { schema, maxTokens = sizes.maxTokens } = options
  checkMaxTokens(maxTokens, sizes.maxTokens)
  const positions = Math.min(Math.ceil(maxTokens / PADDED) * PADDED, sizes.maxTokens)
  const made = await decoderModel(checkpoint, options, positions)
  const isVocabulary = 'tokens' in made && made.tokens.output.kind === 'vocabulary'
  const classes = isVocabulary ? sizes.vocabularySize : options.classes
  const limits = { maxTokens, positions, vocabularySize: sizes.vocabularySize, classes }
  const maxTokensPerMicroBatch = options.maxTokensPerMicroBatch ?? maxTokensPerMicroBatchFor(classes)
  if ('classifier' in made) {
    return await selfTested(options, { ...limits, answer: 'label' }, (createRunner) =>
      classifierEngine({ model: made.classifier, schema, limits, maxTokensPerMicroBatch, createRunner }),
    )
  }
  return await selfTested(options, { ...limits, answer: 'targets' }, (createRunner) =>
    tokenEngine({ model: made.tokens, schema, limits, maxTokensPerMicroBatch, createRunner }),
  )
}

function tagsOf(config: DecoderConfig, classes: number): TokenOutput {
  return { kind: 'tags', classes, headName: decoderTagHead(config) }
}
