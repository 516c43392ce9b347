import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, checkSchema } from '@fedsvd/core/lora'
import { type Checkpoint, type ClassifierModel, headSpecs } from '@fedsvd/core/models'
import { MANIFEST_DEFAULTS } from '@fedsvd/core/protocol'
import {
  classifierEngine,
  requireKnownAnswers,
  type SelfTestSettings,
  selfTested,
  type TrainingEngine,
} from '@fedsvd/engine/training'
import { loadStarterCheckpoint } from './checkpoint/index.ts'
import {
  STARTER_ENCODER,
  type StarterEncoderConfig,
  type StarterTarget,
  starterEncoder,
  starterLayers,
} from './encoder.ts'

/** What is adapted, and how: the public terms of a run on the starter encoder. */
export interface StarterAdapterOptions {
  readonly rank: number
  readonly alpha: number
  readonly headMode: AdapterSchema['headMode']
  readonly classes: number
  /** Default: all four projections of both transformer layers. */
  readonly targets?: readonly StarterTarget[]
}

export interface StarterEngineOptions extends StarterAdapterOptions, SelfTestSettings {
  /** Longest record, at most 128. */
  readonly maxTokens?: number
  /** Multiplies the unit-length embedding before the head. */
  readonly featureScale?: number
  readonly maxTokensPerMicroBatch?: number
  /** Sizes and weights of another encoder of the same kind, for tests. Default: the published checkpoint. */
  readonly encoder?: { readonly config: StarterEncoderConfig; readonly checkpoint: Checkpoint }
}

/** What is adapted unless a run says otherwise: the attention and feed-forward projections of both layers. */
export const PROJECTIONS: readonly StarterTarget[] = ['attention.qkv', 'attention.out', 'ffn.conv1', 'ffn.conv2']

/**
 * The head sees the embedding at unit length. A record's gradient in the head grows with this factor and, at equal
 * logits, its gradient in B does not: at sqrt(512), where each coordinate has mean square 1, the flat clip and the
 * noise leave B all but untrained.
 */
const { featureScale: FEATURE_SCALE } = MANIFEST_DEFAULTS

/**
 * Measured: a place costs within 5 % of the same from 256 to 1024 places, and blank rows cost as much as records. At
 * 4096 the activations leave the cache and a place costs 25 % more.
 */
const MAX_PLACES = 256

/** The schema of a run on the starter encoder. Throws ADAPTER_INVALID for a rank or targets that fit no layer. */
export function starterSchema(options: StarterAdapterOptions, config = STARTER_ENCODER): AdapterSchema {
  const { rank, alpha, headMode, classes, targets = PROJECTIONS } = options
  const head = headSpecs(config.width, classes)
  const schema = { rank, alpha, layers: starterLayers(config, targets), head, headMode }
  checkSchema(schema)
  return schema
}

/** The starter encoder with its head, as graphs are made of. */
export function starterClassifier(
  { layers, rank, alpha }: AdapterSchema,
  {
    classes,
    checkpoint,
    featureScale = FEATURE_SCALE,
    config = STARTER_ENCODER,
  }: {
    readonly classes: number
    readonly checkpoint: Checkpoint
    readonly featureScale?: number | undefined
    readonly config?: StarterEncoderConfig
  },
): ClassifierModel {
  return {
    layers,
    rank,
    scale: alpha / rank,
    featureWidth: config.width,
    featureScale,
    classes,
    encode: (g, tokenIds, adapters) => starterEncoder(g, tokenIds, config, checkpoint, adapters),
  }
}

/**
 * The private training step and inference on the starter encoder. Loads the installed checkpoint; each of the two
 * graphs is made ready when it is first used. Throws CONFIG_INVALID, ADAPTER_INVALID, CHECKPOINT_INVALID or
 * RUNTIME_UNAVAILABLE.
 */
export async function createStarterEngine(options: StarterEngineOptions): Promise<TrainingEngine> {
  const { classes, featureScale = FEATURE_SCALE, maxTokensPerMicroBatch = MAX_PLACES } = options
  const config = options.encoder?.config ?? STARTER_ENCODER
  const { maxTokens = config.maxTokens } = options
  if (!Number.isInteger(maxTokens) || maxTokens < 1 || maxTokens > config.maxTokens) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `maxTokens from 1 to ${config.maxTokens}`,
      got: `${maxTokens}`,
      remedy: 'Longer texts are truncated when they are encoded.',
    })
  }
  const schema = starterSchema(options, config)
  const checkpoint = options.encoder?.checkpoint ?? (await loadStarterCheckpoint())
  const model = starterClassifier(schema, { classes, featureScale, config, checkpoint })
  const limits = { maxTokens, positions: config.maxTokens, vocabularySize: config.vocabularySize, classes }
  return await selfTested({ requireKnownAnswers, ...options }, { ...limits, answer: 'label' }, (createRunner) =>
    classifierEngine({ model, schema, limits, maxTokensPerMicroBatch, createRunner }),
  )
}
